#define _GNU_SOURCE
#include "apus_symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// Of Swift's runtime: the readable form of a mangled name, in memory from malloc. Weak, as CApus links alone.
extern char *swift_demangle(const char *name, size_t length, char *out, size_t *out_size, uint32_t flags)
    __attribute__((weak));

// The same in few words, as a backtrace has it, and whether a function only calls another. Newer than the one above.
extern char *_swift_backtrace_demangle(const char *name, size_t length, char *out, size_t *out_size)
    __attribute__((weak));
extern bool _swift_backtrace_isThunkFunction(const char *name) __attribute__((weak));

struct table {
  const ElfW(Sym) *symbols;
  size_t count;
  const char *strings;
  size_t strings_size;
  const ElfW(Shdr) *sections;
  size_t section_count;
};

static bool in_file(size_t size, size_t offset, size_t length) { return offset <= size && length <= size - offset; }

// The file is our own program's, but it may have been changed on disk since it was started: nothing is believed.
static bool find_table(const char *file, size_t size, struct table *table) {
  const ElfW(Ehdr) *header = (const void *)file;
  if (size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (!in_file(size, header->e_shoff, (size_t)header->e_shnum * sizeof(ElfW(Shdr)))) return false;
  table->sections = (const void *)(file + header->e_shoff);
  table->section_count = header->e_shnum;
  for (size_t i = 0; i < table->section_count; i++) {
    const ElfW(Shdr) *section = &table->sections[i];
    if (section->sh_type != SHT_SYMTAB || section->sh_link >= table->section_count) continue;
    const ElfW(Shdr) *strings = &table->sections[section->sh_link];
    if (!in_file(size, section->sh_offset, section->sh_size) || !in_file(size, strings->sh_offset, strings->sh_size) ||
        strings->sh_size == 0 || file[strings->sh_offset + strings->sh_size - 1] != 0) {
      return false;
    }
    table->symbols = (const void *)(file + section->sh_offset);
    table->count = section->sh_size / sizeof(ElfW(Sym));
    table->strings = file + strings->sh_offset;
    table->strings_size = strings->sh_size;
    return true;
  }
  return false;
}

static const char *name_of(const struct table *table, const ElfW(Sym) *symbol) {
  return symbol->st_name < table->strings_size ? table->strings + symbol->st_name : "";
}

static bool has_symbol(const struct table *table, const char *prefix, size_t length, const char *suffix) {
  for (size_t i = 0; i < table->count; i++) {
    const char *name = name_of(table, &table->symbols[i]);
    if (strncmp(name, prefix, length) == 0 && strcmp(name + length, suffix) == 0) return true;
  }
  return false;
}

// The token of a one-time initialisation is named as the variable is, without its type.
static bool has_token(const struct table *table, const char *variable) {
  for (size_t i = 0; i < table->count; i++) {
    const char *name = name_of(table, &table->symbols[i]);
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, "_Wz") == 0 && strncmp(name, variable, length - 3) == 0) return true;
  }
  return false;
}

// A program with @main has no main.swift; its entry is a method named $main.
static bool has_main_type(const struct table *table) {
  for (size_t i = 0; i < table->count; i++) {
    const char *name = name_of(table, &table->symbols[i]);
    if (name[0] == '$' && strstr(name, "5$mainyy")) return true;
  }
  return false;
}

static bool is_global_in_bss(const struct table *table, const ElfW(Sym) *symbol) {
  if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || symbol->st_shndx >= table->section_count) return false;
  if (table->sections[symbol->st_shndx].sh_type != SHT_NOBITS) return false;
  const char *name = name_of(table, symbol);
  size_t length = strlen(name);
  // "$s…vp": a global variable; a static one of a type would end in "vpZ".
  if (length <= 4 || strncmp(name, "$s", 2) != 0 || strcmp(name + length - 2, "vp") != 0) return false;
  // Then the module, its length first: the standard library has none, and its parts' names begin with '_'.
  size_t digits = strspn(name + 2, "0123456789");
  return digits > 0 && name[2 + digits] != '_';
}

// Debug information, or #fileID, names the file. A program with @main has none of that name; nothing else tells the
// two apart in a release build, where the linker drops whatever is not called. No names, no warning.
static bool mentions_main_file(const char *file, size_t size) {
  // With its terminator, and put together here: in one piece it would be found in ourselves.
  char wanted[] = "?ain.swift";
  *(volatile char *)wanted = 'm';
  const char *at = file, *end = file + size;
  while ((at = memmem(at, (size_t)(end - at), wanted, sizeof wanted))) {
    if (at > file && (at[-1] == '/' || at[-1] == 0)) return true;
    at++;
  }
  return false;
}

static void append(char *names, size_t size, const char *mangled) {
  char *readable = swift_demangle ? swift_demangle(mangled, strlen(mangled), NULL, NULL, 0) : NULL;
  const char *name = readable ? readable : mangled;
  size_t length = strcspn(name, " "), used = strlen(names);
  if (used + length + 3 < size) {
    if (used) strcat(names, ", ");
    strncat(names, name, length);
  }
  free(readable);
}

// Null if the program's file can't be read.
static char *map_program(size_t *size) {
  int descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (descriptor < 0) return NULL;
  char *file = fstat(descriptor, &status) == 0
                   ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0)
                   : MAP_FAILED;
  close(descriptor);
  if (file == MAP_FAILED) return NULL;
  *size = (size_t)status.st_size;
  return file;
}

// What is private has its file in its name: `(f in _0123)` becomes `f`.
static void drop_files(char *name) {
  for (char *at; (at = strstr(name, " in _")) != NULL;) {
    char *open = at, *end = strchr(at, ')');
    while (open > name && *open != '(') open--;
    if (*open != '(' || !end) return;
    size_t length = (size_t)(at - open) - 1;
    memmove(open, open + 1, length);
    memmove(open + length, end + 1, strlen(end + 1) + 1);
  }
}

// Where the optimiser has made an adapter for one function, that function stands in the adapter's name.
static bool adapted_name(const char *mangled, char *name, size_t size) {
  char *whole = swift_demangle ? swift_demangle(mangled, strlen(mangled), NULL, NULL, 0) : NULL;
  static const char mark[] = "[Constant Propagated Function : ";
  char *inner = NULL;
  // The innermost one.
  for (char *at = whole; at && (at = strstr(at, mark)); at += sizeof mark - 1) inner = at + sizeof mark - 1;
  char *end = inner ? strstr(inner, "]>") : NULL;
  if (end) {
    *end = 0;
    drop_files(inner);
    // Without its type, but for a closure, which is known by where it is.
    if (!strstr(inner, " in ")) inner[strcspn(inner, "(")] = 0;
    name[0] = 0;
    strncat(name, inner, size - 1);
  }
  free(whole);
  return end;
}

bool apus_function_name(uint64_t offset, char *name, size_t size) {
  size_t file_size;
  char *file = map_program(&file_size);
  if (!file) return false;
  struct table table;
  const ElfW(Sym) *found = NULL;
  if (find_table(file, file_size, &table)) {
    for (size_t i = 0; i < table.count && !found; i++) {
      const ElfW(Sym) *symbol = &table.symbols[i];
      int type = ELF64_ST_TYPE(symbol->st_info);
      // An asynchronous function is known by an object, which tells where its code is.
      if (type != STT_FUNC && type != STT_OBJECT) continue;
      if (symbol->st_shndx != SHN_UNDEF && offset >= symbol->st_value && offset - symbol->st_value < symbol->st_size) {
        found = symbol;
      }
    }
  }
  if (found) {
    const char *mangled = name_of(&table, found);
    char *readable = _swift_backtrace_demangle ? _swift_backtrace_demangle(mangled, strlen(mangled), NULL, NULL) : NULL;
    if (!readable && swift_demangle) readable = swift_demangle(mangled, strlen(mangled), NULL, NULL, 0);
    bool is_thunk = strstr(readable ? readable : "", "thunk for ") ||
                    (_swift_backtrace_isThunkFunction && _swift_backtrace_isThunkFunction(mangled));
    name[0] = 0;
    if (!is_thunk) {
      strncat(name, readable ? readable : mangled, size - 1);
    } else if (!adapted_name(mangled, name, size)) {
      found = NULL;
    }
    free(readable);
  }
  munmap(file, file_size);
  return found && name[0];
}

int apus_main_variables(char *names, size_t size) {
  names[0] = 0;
  size_t file_size;
  char *file = map_program(&file_size);
  if (!file) return 0;
  struct table table;
  int count = 0;
  if (find_table(file, file_size, &table)) {
    for (size_t i = 0; i < table.count; i++) {
      if (!is_global_in_bss(&table, &table.symbols[i])) continue;
      const char *name = name_of(&table, &table.symbols[i]);
      size_t prefix = strlen(name) - 2;
      // Every other global has a function that gives its address, or a token for its one-time initialisation.
      if (has_symbol(&table, name, prefix, "vau") || has_token(&table, name)) continue;
      if (count == 0 && (has_main_type(&table) || !mentions_main_file(file, file_size))) break;
      count++;
      append(names, size, name);
    }
  }
  munmap(file, file_size);
  return count;
}

bool apus_read_memory(uintptr_t address, void *copy, size_t size) {
  struct iovec to = {copy, size}, from = {(void *)address, size};
  return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)size;
}

#define _GNU_SOURCE
#include "apus_image.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct search {
  const void *address;
  const uint8_t *identity;
  struct apus_image *found;
  bool first;
};

static void mix(uint8_t identity[20], const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t *slot = &identity[i % 20];
    *slot = (uint8_t)((*slot ^ ((const uint8_t *)bytes)[i]) * 167 + i);
  }
}

static bool build_id(const char *notes, size_t size, size_t alignment, uint8_t identity[20]) {
  if (alignment < 4) alignment = 4;
  for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
    const ElfW(Nhdr) *note = (const void *)(notes + at);
    size_t name = at + sizeof *note;
    size_t content = name + ((note->n_namesz + alignment - 1) & ~(alignment - 1));
    size_t next = content + ((note->n_descsz + alignment - 1) & ~(alignment - 1));
    if (content > size || note->n_descsz > size - content) return false;
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0) {
      memcpy(identity, notes + content, note->n_descsz < 20 ? note->n_descsz : 20);
      return true;
    }
    if (next <= at) return false;
    at = next;
  }
  return false;
}

static int visit(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct search *search = context;
  struct apus_image image = {.base = info->dlpi_addr, .is_program = search->first};
  search->first = false;
  bool identified = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && start + segment->p_memsz > image.end) image.end = start + segment->p_memsz;
    if (segment->p_type == PT_NOTE && !identified) {
      identified = build_id((const char *)start, segment->p_memsz, segment->p_align, image.identity);
    }
  }
  if (!identified) {
    mix(image.identity, info->dlpi_name, strlen(info->dlpi_name));
    for (int i = 0; i < info->dlpi_phnum; i++) {
      mix(image.identity, &info->dlpi_phdr[i].p_filesz, sizeof info->dlpi_phdr[i].p_filesz);
    }
  }
  uintptr_t address = (uintptr_t)search->address;
  bool matches = search->address    ? address >= image.base && address < image.end
                 : search->identity ? memcmp(search->identity, image.identity, 20) == 0
                                    : image.is_program;
  if (matches) *search->found = image;
  return matches;
}

static bool look(struct search search) {
  search.first = true;
  return dl_iterate_phdr(visit, &search) == 1;
}

bool apus_image_at(const void *address, struct apus_image *image) {
  return look((struct search){.address = address, .found = image});
}

bool apus_image_find(const uint8_t identity[20], struct apus_image *image) {
  return look((struct search){.identity = identity, .found = image});
}

bool apus_image_program(struct apus_image *image) { return look((struct search){.found = image}); }

bool apus_image_is_executable(void) {
  const char *preload = getenv("LD_PRELOAD");
  if (preload && strstr(preload, "vgpreload")) return false;  // valgrind shows its guest's own path
  struct apus_image image;
  struct stat program;
  if (!apus_image_program(&image) || stat("/proc/self/exe", &program) != 0) return false;
  FILE *maps = fopen("/proc/self/maps", "re");
  if (!maps) return true;  // no /proc/self/maps: give it the benefit of the doubt
  char line[8192];
  bool same = false;
  while (fgets(line, sizeof line, maps)) {
    unsigned long start, end, inode;
    unsigned int major, minor;
    if (sscanf(line, "%lx-%lx %*s %*x %x:%x %lu", &start, &end, &major, &minor, &inode) != 5) continue;
    if (image.end - 1 < start || image.base >= end || inode == 0) continue;
    // The device numbers of an overlay file system differ between maps and stat: the inode decides.
    same = inode == (unsigned long)program.st_ino;
    break;
  }
  fclose(maps);
  return same;
}

// Swift calls these as functions that return a keyed container: one word, which is returned through memory, as its
// type is not known to be so when the caller is compiled. In Swift the same takes a look-up of the container's type.
#define SWIFTCALL __attribute__((swiftcall))
#define RESULT __attribute__((swift_indirect_result))


SWIFTCALL void apus_encoding_container(RESULT void **result, void *reference) { *result = reference; }
SWIFTCALL void apus_decoding_container(RESULT void **result, void *reference) { *result = reference; }

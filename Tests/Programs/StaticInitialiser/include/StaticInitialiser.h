#ifndef STATIC_INITIALISER_H
#define STATIC_INITIALISER_H

#ifdef __cplusplus
extern "C" {
#endif

/// The number of words in a static variable with a constructor: 3.
int static_initialiser_count(void);

#ifdef __cplusplus
}
#endif

#endif

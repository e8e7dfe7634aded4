// The header is all of it.
#include "apus_python.h"

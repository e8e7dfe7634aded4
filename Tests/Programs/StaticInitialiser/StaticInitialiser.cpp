#include "StaticInitialiser.h"

#include <string>
#include <vector>

// Made before `main`, and nowhere else: in a worker that began its work any earlier it would be empty.
static std::vector<std::string> words = {"made", "before", "main"};

int static_initialiser_count(void) { return static_cast<int>(words.size()); }

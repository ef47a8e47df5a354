/* The interface must be C, not only C++. */
#include "unitscope/unitscope.h"

int header_abi_version(void);
int header_abi_version(void) { return us_abi_version() == US_ABI_VERSION ? US_ABI_VERSION : -1; }

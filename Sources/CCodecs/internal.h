#ifndef CCODECS_INTERNAL_H
#define CCODECS_INTERNAL_H

#include "ccodecs.h"

#include <stdio.h>

#define say(report, ...) ((void)snprintf((report)->message, sizeof(report)->message, __VA_ARGS__))

static inline int past(int64_t deadline) { return cc_thread_time() >= deadline; }

#endif

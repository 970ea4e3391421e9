/*
 * analyzer.h - included before everything else by clang-tidy only (lint.sh tidy): tells the
 * analyzer, which looks at one file at a time, that raising an error always returns -1.
 */
#ifndef LINT_ANALYZER_H
#define LINT_ANALYZER_H

#include "base/error.h"

#define error_set(...)	  (error_set(__VA_ARGS__), -1)
#define error_reason(...) (error_reason(__VA_ARGS__), -1)
#define error_wrap(...)	  (error_wrap(__VA_ARGS__), -1)

#endif

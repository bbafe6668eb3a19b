/* SPDX-License-Identifier: MIT */
/*
 * The kernel's trace events, in an instance of the tests' own: what is traced
 * elsewhere goes on.
 */
#ifndef IGT_FERRY_TRACE_H
#define IGT_FERRY_TRACE_H

void igt_ferry_trace_begin(const char *event);
void igt_ferry_trace_begin_probe(const char *kind, const char *where);
void igt_ferry_trace_clear(void);
unsigned int igt_ferry_trace_count(const char *a, const char *b);
void igt_ferry_trace_end(void);

#endif /* IGT_FERRY_TRACE_H */

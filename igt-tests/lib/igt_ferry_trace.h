/* SPDX-License-Identifier: MIT */
/*
 * Trace events of the kernel, in a tracing instance of the tests' own, so that the
 * global trace buffer stays as it is.
 */
#ifndef IGT_FERRY_TRACE_H
#define IGT_FERRY_TRACE_H

void igt_ferry_trace_begin(const char *event);
void igt_ferry_trace_begin_probe(const char *kind, const char *where);
void igt_ferry_trace_clear(void);
unsigned int igt_ferry_trace_count(const char *a, const char *b);
void igt_ferry_trace_end(void);

#endif /* IGT_FERRY_TRACE_H */

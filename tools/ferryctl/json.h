/* SPDX-License-Identifier: MIT */
/*
 * Print JSON to stdout. A name is NULL for an element of an array and for the whole. The whole
 * ends with a newline.
 */
#ifndef JSON_H_
#define JSON_H_

#include <stdbool.h>
#include <stdint.h>

/* Print each whole on one line from now on. */
void json_lines(void);

void json_object(const char *name);
void json_object_end(void);
void json_array(const char *name);
void json_array_end(void);

void json_string(const char *name, const char *value);
/* null if @value is NULL or empty */
void json_string_or_null(const char *name, const char *value);
void json_number(const char *name, uint64_t value);
void json_real(const char *name, double value);
void json_bool(const char *name, bool value);

#endif /* JSON_H_ */

// SPDX-License-Identifier: MIT
/* See canvas.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "canvas.h"

struct canvas_svg {
	struct canvas base;
	const char *path;
	FILE *file;
};

static void write_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '&' || *text == '<' || *text == '>')
			fprintf(file, "&#%d;", *text);
		else
			fputc(*text, file);
	}
}

static void svg_rect(struct canvas *canvas, double x, double y, double width,
		     double height, uint32_t fill, uint32_t edge)
{
	struct canvas_svg *svg = (struct canvas_svg *)canvas;

	fprintf(svg->file,
		"<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"#%06x\"",
		x, y, width, height, fill);
	if (edge != CANVAS_NO_COLOUR)
		fprintf(svg->file, " stroke=\"#%06x\"", edge);
	fprintf(svg->file, "/>\n");
}

static void svg_text(struct canvas *canvas, double x, double y, bool right,
		     uint32_t colour, const char *text)
{
	struct canvas_svg *svg = (struct canvas_svg *)canvas;

	fprintf(svg->file, "<text x=\"%.0f\" y=\"%.0f\"%s fill=\"#%06x\">", x,
		y, right ? " text-anchor=\"end\"" : "", colour);
	write_escaped(svg->file, text);
	fprintf(svg->file, "</text>\n");
}

static void svg_group(struct canvas *canvas, const char *title)
{
	struct canvas_svg *svg = (struct canvas_svg *)canvas;

	if (!title) {
		fprintf(svg->file, "</g>\n");
		return;
	}
	fprintf(svg->file, "<g><title>");
	write_escaped(svg->file, title);
	fprintf(svg->file, "</title>\n");
}

static int svg_finish(struct canvas *canvas)
{
	struct canvas_svg *svg = (struct canvas_svg *)canvas;
	int ret = 0;

	fprintf(svg->file, "</svg>\n");
	if (fflush(svg->file) || ferror(svg->file))
		ret = -errno;
	if (svg->path) {
		if (fclose(svg->file) && !ret)
			ret = -errno;
		/* A part of a picture is of no use. */
		if (ret)
			unlink(svg->path);
	}
	free(svg);
	return ret;
}

struct canvas *canvas_new_svg(const char *path, unsigned int width,
			      unsigned int height)
{
	struct canvas_svg *svg = calloc(1, sizeof(*svg));

	if (!svg)
		return NULL;
	svg->path = path;
	svg->file = path ? fopen(path, "w") : stdout;
	if (!svg->file) {
		free(svg);
		return NULL;
	}
	svg->base =
		(struct canvas){ svg_rect, svg_text, svg_group, svg_finish };
	fprintf(svg->file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" font-size=\"14\">\n"
		"<!-- SPDX-License-Identifier: MIT -->\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		width, height);
	return &svg->base;
}

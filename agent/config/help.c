/*
 * config/help.c - what the table looks like to people: --help and the reference.
 */
#include "config/config_int.h"

#include <string.h>

#include "base/mem.h"

#define INDENT 32
#define WIDTH  96

/* Words of `text`, broken at WIDTH, later lines indented. The cursor stands at INDENT. */
static void put_wrapped(struct buf *out, const char *text)
{
	size_t column = INDENT;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > INDENT && column + 1 + len > WIDTH) {
			buf_printf(out, "\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			buf_putc(out, ' ');
			column++;
		}
		buf_add(out, text, len);
		column += len;
		text += len + (text[len] == ' ');
	}
	buf_putc(out, '\n');
}

static void put_option(struct buf *out, const char *name, const char *value, const char *help)
{
	size_t start = out->len;

	buf_printf(out, "  --%s%s%s", name, *value ? "=" : "", value);
	if (out->len - start + 2 > INDENT)
		buf_printf(out, "\n%*s", INDENT, "");
	else
		buf_printf(out, "%*s", (int)(INDENT - (out->len - start)), "");
	put_wrapped(out, help);
}

static void put_meaning(struct buf *out, const struct setting *s)
{
	buf_puts(out, s->help);
	if (!s->fallback || s->type == SETTING_BOOL)
		return;
	if (s->fallback_env)
		buf_printf(out, " Default: $%s, or %s.", s->fallback_env, s->fallback);
	else
		buf_printf(out, " Default: %s.", s->fallback);
}

static const char *value_word(const struct setting *s)
{
	if (s->type == SETTING_BOOL)
		return "";
	return s->choices ? s->choices : setting_type_name(s->type);
}

void config_help(struct buf *out)
{
	put_option(
		out, "config", "FILE",
		"YAML file of settings; its keys are the flags' names, written as logLevel.");
	for (size_t i = 0; i < settings_count; i++) {
		AUTO(buf) help = BUF_INIT;

		put_meaning(&help, &settings[i]);
		put_option(out, settings[i].name, value_word(&settings[i]), help.ptr);
	}
}

/* A cell: "|" inside would end it. */
static void put_cell(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (*text == '|')
			buf_puts(out, "\\|");
		else
			buf_putc(out, *text);
	buf_puts(out, " | ");
}

void config_reference(struct buf *out)
{
	buf_puts(out, "| flag | environment | file | value | default | meaning |\n"
		      "|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		const char *value = s->choices ? s->choices : setting_type_name(s->type);

		buf_printf(out, "| `--%s` | `", s->name);
		setting_put_env(out, s);
		buf_puts(out, "` | `");
		setting_put_key(out, s);
		buf_puts(out, "` | ");
		put_cell(out, value);
		if (s->fallback_env)
			buf_printf(out, "$%s, or ", s->fallback_env);
		buf_puts(out, s->fallback ? s->fallback : "");
		buf_puts(out, " | ");
		put_cell(out, s->help);
		buf_truncate(out, out->len - 1);
		buf_putc(out, '\n');
	}
}

/*
 * config/load.c - from file, environment and command line to settings, in that order.
 */
#include "config/config_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "value/yaml.h"

#define FILE_MAX_BYTES (64 * 1024)

extern char **environ;

static int read_file(const char *path, struct buf *out, struct error *err)
{
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	if (!f)
		return error_reason(err, ERROR_INVALID, "BadConfigFile", "configuration %s: %s",
				    path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && out->len <= FILE_MAX_BYTES)
		buf_add(out, chunk, n);
	n = (size_t)ferror(f);
	fclose(f);
	if (n)
		return error_reason(err, ERROR_INVALID, "BadConfigFile",
				    "configuration %s: can't be read", path);
	if (out->len > FILE_MAX_BYTES)
		return error_reason(err, ERROR_INVALID, "BadConfigFile",
				    "configuration %s: more than %d bytes", path,
				    FILE_MAX_BYTES);
	return 0;
}

/* The setting whose file key is `key`, by its name; the key itself when there is none. */
static const char *name_of_key(const char *key)
{
	for (size_t i = 0; i < settings_count; i++) {
		AUTO(buf) text = BUF_INIT;

		setting_put_key(&text, &settings[i]);
		if (text_eq(text.ptr, key))
			return settings[i].name;
	}
	return NULL;
}

static int set_member(struct config *c, const char *path, const struct member *m,
		      struct error *err)
{
	const struct value *v = m->value;
	const char *name = name_of_key(m->key), *text = NULL;
	AUTO_FREE char *where =
		mem_printf("configuration %s, line %u: %s", path, v->line, m->key);

	if (!name)
		return error_reason(err, ERROR_INVALID, "UnknownSetting",
				    "%s: no setting has this key; they are written as logLevel",
				    where);
	if (v->type == VALUE_STRING || v->type == VALUE_NUMBER)
		text = v->text.ptr;
	else if (v->type == VALUE_BOOL)
		text = v->boolean ? "true" : "false";
	if (!text)
		return error_reason(err, ERROR_INVALID, "BadSetting",
				    "%s: is %s, wanted a plain value", where,
				    value_type_name(v->type));
	return config_set(c, name, text, where, err);
}

static int load_file(struct config *c, const char *path, struct error *err)
{
	const struct value_limits limits = {
		.bytes = FILE_MAX_BYTES, .nodes = 1000, .depth = 10};
	AUTO_ARENA a = arena_new();
	AUTO(value_docs) docs = {0};
	AUTO(buf) text = BUF_INIT;
	const struct member *m;

	if (read_file(path, &text, err) < 0)
		return -1;
	if (value_yaml_parse(a, text.ptr, text.len, &limits, &docs, err) < 0)
		return error_wrap(err, "configuration %s", path);
	if (docs.list.len > 1 || (docs.list.len && docs.list.items[0]->type != VALUE_OBJECT))
		return error_reason(err, ERROR_INVALID, "BadConfigFile",
				    "configuration %s: wanted one map of settings", path);
	if (!docs.list.len)
		return 0;
	object_each (docs.list.items[0], i, m)
		if (set_member(c, path, m, err) < 0)
			return -1;
	return 0;
}

/* Variables that Kubernetes makes of a Service called modelsync, and the file's own. */
static bool env_expected(const char *name, size_t len)
{
	return text_starts(name, "MODELSYNC_PORT") || text_starts(name, "MODELSYNC_SERVICE_") ||
	       (len == 16 && text_starts(name, "MODELSYNC_CONFIG"));
}

static const struct setting *setting_of_env(const char *name, size_t len)
{
	for (size_t i = 0; i < settings_count; i++) {
		AUTO(buf) text = BUF_INIT;

		setting_put_env(&text, &settings[i]);
		if (text.len == len && strncmp(text.ptr, name, len) == 0)
			return &settings[i];
	}
	return NULL;
}

static int load_environment(struct config *c, struct error *err)
{
	for (char **e = environ; e && *e; e++) {
		size_t len = strcspn(*e, "=");
		const struct setting *s;

		if (!text_starts(*e, "MODELSYNC_") || !(*e)[len] || !(*e)[len + 1])
			continue;
		AUTO_FREE char *where = mem_printf("environment %.*s", (int)len, *e);

		s = setting_of_env(*e, len);
		if (s) {
			if (config_set(c, s->name, *e + len + 1, where, err) < 0)
				return -1;
		} else if (!env_expected(*e, len)) {
			log_warn("config", "not a setting", "where", where, LOG_END);
		}
	}
	return 0;
}

/* One option of argv. */
struct option {
	char *name;	   /* without dashes and without =value */
	const char *value; /* or NULL: a switch */
	int words;	   /* of argv: 1 or 2 */
};

static int option_read(int argc, char **argv, int at, struct option *o, struct error *err)
{
	const char *word = argv[at] + 2;
	size_t len = strcspn(word, "=");
	const struct setting *s;

	*o = (struct option){.name = mem_strndup(word, len), .words = 1};
	if (word[len]) {
		o->value = word + len + 1;
		return 0;
	}
	s = setting_find(o->name);
	if ((!s || s->type == SETTING_BOOL) && !text_eq(o->name, "config"))
		return 0;
	if (at + 1 >= argc) {
		error_reason(err, ERROR_INVALID, "BadSetting", "flag --%s: wants a value",
			     o->name);
		mem_free_indirect(&o->name);
		return -1;
	}
	o->value = argv[at + 1];
	o->words = 2;
	return 0;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/* Options to the front; returns the index of the first operand. */
static int permute(int argc, char **argv)
{
	char **operands = mem_array((size_t)argc + 1, sizeof *operands);
	int front = 1, n = 0;

	for (int i = 1; i < argc; i++) {
		struct option o = {0};

		if (text_eq(argv[i], "--")) {
			argv[front++] = argv[i];
			while (++i < argc)
				operands[n++] = argv[i];
			break;
		}
		if (!is_option(argv[i])) {
			operands[n++] = argv[i];
			continue;
		}
		if (text_starts(argv[i], "--") && option_read(argc, argv, i, &o, NULL) == 0)
			free(o.name);
		argv[front++] = argv[i];
		if (o.words == 2)
			argv[front++] = argv[++i];
	}
	memcpy(argv + front, operands, (size_t)n * sizeof *operands);
	free(operands);
	return front;
}

/* With `config`: only looks for --config. Without it: sets all others. */
static int walk_flags(struct config *c, int rest, char **argv, const char **config,
		      struct error *err)
{
	struct option o;

	for (int i = 1; i < rest && !text_eq(argv[i], "--"); i += o.words) {
		AUTO_FREE char *name = NULL;
		AUTO_FREE char *where = NULL;

		if (!text_starts(argv[i], "--"))
			return error_reason(err, ERROR_INVALID, "UnknownSetting",
					    "flag %s is not known", argv[i]);
		if (option_read(rest, argv, i, &o, err) < 0)
			return -1;
		name = o.name;
		where = mem_printf("flag --%s", name);
		if (text_eq(name, "config")) {
			if (config)
				*config = o.value;
		} else if (!config &&
			   config_set(c, name, o.value ? o.value : "true", where, err) < 0) {
			return -1;
		}
	}
	return 0;
}

int config_load(struct config *c, int argc, char **argv, int *rest, struct error *err)
{
	const char *file = getenv("MODELSYNC_CONFIG");
	int operands = permute(argc, argv);

	if (walk_flags(c, operands, argv, &file, err) < 0)
		return -1;
	if (file && *file && load_file(c, file, err) < 0)
		return -1;
	if (load_environment(c, err) < 0 || walk_flags(c, operands, argv, NULL, err) < 0)
		return -1;
	*rest = operands;
	return 0;
}

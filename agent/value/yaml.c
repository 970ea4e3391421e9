/* value/yaml.c - from libyaml's events to trees, with a stack of our own; see yaml.h. */
#include "value/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/text.h"
#include "value/build_int.h"
#include "value/value_int.h"
#include "value/yaml_int.h"

#define DIRECTIVES_MOST 64 /* libyaml compares each %TAG with all before it */
#define CORE		"tag:yaml.org,2002:"

/* What an alias brings in. */
struct anchor {
	struct value *v; /* NULL: still open */
	size_t nodes;
	int height; /* containers from the innermost to this one; 0: a scalar */
};

/* A container that is open. */
struct frame {
	struct value *v;
	struct anchor *anchor;
	size_t first;  /* where its part of build.members or build.items begins */
	size_t nodes;  /* build.nodes before it */
	size_t member; /* object: the member that waits for its value, when has_key */
	int height;
	bool has_key;
	bool at_merge;		  /* the value that comes is that of << */
	struct place key, merged; /* of the key in hand; of <<, line 0: none yet */
};

struct reader {
	yaml_parser_t parser;
	struct build build;
	VEC(struct frame) frames;
	struct map anchors; /* name to struct anchor, of this document */
	struct buf number, key;
	struct value *root;
	struct value_docs docs;
	struct error *err;
};

static struct place place_from(yaml_mark_t mark)
{
	return (struct place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static int fail(struct reader *r, struct place at, const char *what)
{
	return error_reason(r->err, ERROR_INVALID, "YamlInvalid", "line %u, column %u: %s",
			    at.line, at.column, what);
}

static struct frame *top(struct reader *r)
{
	return r->frames.len ? &r->frames.items[r->frames.len - 1] : NULL;
}

static bool wants_key(struct reader *r)
{
	const struct frame *f = top(r);

	return f && f->v->type == VALUE_OBJECT && !f->has_key && !f->at_merge;
}

/* Register the anchor of the event at hand, if it has one. */
static struct anchor *anchor_new(struct reader *r, const yaml_char_t *name, struct value *v)
{
	struct anchor *anchor;

	if (!name)
		return NULL;
	anchor = arena_alloc(r->build.arena, sizeof *anchor);
	anchor->v = v;
	anchor->nodes = 1;
	map_put(&r->anchors, (const char *)name, anchor);
	return anchor;
}

/* The text of a number that is a key, as kubectl would write it. */
static int number_key(const struct value *k, struct buf *key)
{
	bool truth;
	enum scalar type = scalar_resolve(k->text.ptr, k->text.len, &truth, key);

	if (type == SCALAR_INT && !text_eq(key->ptr, "-0"))
		return 0;
	buf_reset(key);
	if (type != SCALAR_INT)
		return scalar_float_key(k->text.ptr, key);
	buf_putc(key, '0');
	return 0;
}

static int take_key(struct reader *r, const struct value *k, struct place at)
{
	struct frame *f = top(r);
	const char *text = k->text.ptr;
	size_t len = k->text.len;

	switch (k->type) {
	case VALUE_NULL:
		return fail(r, at, "a key can't be null: quote it");
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		return fail(r, at, "a key must be a scalar");
	case VALUE_BOOL:
		text = k->boolean ? "true" : "false";
		len = strlen(text);
		break;
	case VALUE_NUMBER:
		if (number_key(k, &r->key))
			return fail(r, at, "a key can't be a number this big: quote it");
		text = r->key.ptr;
		len = r->key.len;
		break;
	case VALUE_STRING:
		break;
	}
	f->member = build_member(&r->build, text, len, at);
	f->has_key = true;
	f->key = at;
	return 0;
}

static int splice(struct reader *r, const struct value *map)
{
	struct frame *f = top(r);
	struct member *m;

	if (map->type != VALUE_OBJECT)
		return fail(r, f->merged, "a merge key << needs a map or a list of maps");
	object_each (map, i, m)
		*vec_push(&r->build.members) =
			(struct pending){.m = *m, .at = f->merged, .merged = true};
	return 0;
}

/* A value is complete: give it to the container it stands in. */
static int deliver(struct reader *r, struct value *v, int height)
{
	struct frame *f = top(r);
	struct value *item;

	if (!f) {
		r->root = v;
		return 0;
	}
	if (f->at_merge) {
		f->at_merge = false;
		if (v->type != VALUE_ARRAY)
			return splice(r, v);
		array_each (v, i, item)
			if (splice(r, item))
				return -1;
		return 0;
	}
	if (height >= f->height)
		f->height = height + 1;
	if (f->v->type == VALUE_ARRAY) {
		*vec_push(&r->build.items) = v;
	} else {
		r->build.members.items[f->member].m.value = v;
		f->has_key = false;
	}
	return 0;
}

static int fail_tag(struct reader *r, struct place at, const char *tag)
{
	char shown[BUILD_SHOWN];

	if (text_starts(tag, CORE))
		return error_reason(
			r->err, ERROR_INVALID, "UnsupportedTag",
			"line %u, column %u: tag !!%s is not supported here", at.line,
			at.column,
			build_shown(shown, tag + strlen(CORE), strlen(tag + strlen(CORE))));
	return error_reason(r->err, ERROR_INVALID, "UnsupportedTag",
			    "line %u, column %u: tag %s is not supported", at.line, at.column,
			    build_shown(shown, tag, strlen(tag)));
}

/* Type and text of a scalar; the text is borrowed from the event or from r->number. */
static int read_scalar(struct reader *r, const yaml_event_t *e, struct place at,
		       struct value *out)
{
	const char *s = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	const char *tag = (const char *)e->data.scalar.tag;
	const char *core = tag && text_starts(tag, CORE) ? tag + strlen(CORE) : NULL;
	enum scalar type = SCALAR_STRING;
	bool truth = false, fits = true;

	if (memchr(s, '\0', len))
		return fail(r, at, "NUL (\\0) is not allowed in a string");
	if (core ? !text_eq(core, "str") : !tag && e->data.scalar.plain_implicit)
		type = scalar_resolve(s, len, &truth, &r->number);
	if (core && text_eq(core, "float") && json_number_end(s, s + len) == s + len) {
		type = SCALAR_FLOAT; /* also beyond a float64's range, which only the tag can
					say */
		buf_reset(&r->number);
		buf_add(&r->number, s, len);
	}
	if (text_eq(core, "int"))
		fits = type == SCALAR_INT;
	else if (text_eq(core, "float"))
		fits = type == SCALAR_INT || type == SCALAR_FLOAT;
	else if (text_eq(core, "bool"))
		fits = type == SCALAR_BOOL;
	else if (text_eq(core, "null"))
		fits = type == SCALAR_NULL;
	else if (tag && !text_eq(core, "str") && !text_eq(tag, "!"))
		return fail_tag(r, at, tag);
	if (!fits) {
		char shown[BUILD_SHOWN];
		return error_reason(r->err, ERROR_INVALID, "YamlInvalid",
				    "line %u, column %u: \"%s\" is no !!%s", at.line, at.column,
				    build_shown(shown, s, len), core);
	}
	if (type == SCALAR_NO_NUMBER)
		return fail(r, at,
			    "infinity and NaN are no JSON numbers: quote it if it is text");
	*out = (struct value){.type = VALUE_STRING, .text = {s, len}};
	if (type == SCALAR_NULL)
		out->type = VALUE_NULL;
	else if (type == SCALAR_BOOL)
		*out = (struct value){.type = VALUE_BOOL, .boolean = truth};
	else if (type != SCALAR_STRING)
		*out = (struct value){.type = VALUE_NUMBER,
				      .text = {r->number.ptr, r->number.len}};
	return 0;
}

static bool is_merge(const yaml_event_t *e)
{
	const char *tag = (const char *)e->data.scalar.tag;

	return !strcmp((const char *)e->data.scalar.value, "<<") &&
	       (tag ? !strcmp(tag, CORE "merge") : e->data.scalar.plain_implicit);
}

static int take_merge_key(struct reader *r, struct place at)
{
	struct frame *f = top(r);

	if (f->merged.line)
		return error_reason(r->err, ERROR_INVALID, "DuplicateKey",
				    "line %u, column %u: key \"<<\" stands twice in one map "
				    "(first at line %u)",
				    at.line, at.column, f->merged.line);
	f->merged = at;
	f->at_merge = true;
	return 0;
}

static int on_scalar(struct reader *r, const yaml_event_t *e, struct place at)
{
	struct value scalar = {0}, *v;
	bool key = wants_key(r);

	if (key && is_merge(e))
		return take_merge_key(r, at);
	if (read_scalar(r, e, at, &scalar) || (key && take_key(r, &scalar, at)))
		return -1;
	if (key && !e->data.scalar.anchor)
		return 0;
	v = build_node(&r->build, scalar.type, at, r->err);
	if (!v)
		return -1;
	if (scalar.type == VALUE_BOOL) {
		v->boolean = scalar.boolean;
	} else if (scalar.type != VALUE_NULL) {
		v->text.ptr = arena_strndup(r->build.arena, scalar.text.ptr, scalar.text.len);
		v->text.len = scalar.text.len;
	}
	anchor_new(r, e->data.scalar.anchor, v);
	return key ? 0 : deliver(r, v, 0);
}

static int on_alias(struct reader *r, const yaml_event_t *e, struct place at)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct anchor *anchor = map_get(&r->anchors, name);
	char shown[BUILD_SHOWN];

	if (!anchor || !anchor->v)
		return error_reason(r->err, ERROR_INVALID, "YamlInvalid",
				    "line %u, column %u: alias *%s %s", at.line, at.column,
				    build_shown(shown, name, strlen(name)),
				    anchor ? "stands inside the value that it names"
					   : "has no anchor before it");
	if (wants_key(r))
		return take_key(r, anchor->v, at);
	if ((int)r->frames.len + anchor->height > r->build.limits->depth)
		return build_too_deep(&r->build, at, r->err);
	if (build_count(&r->build, anchor->nodes, at, r->err))
		return -1;
	return deliver(r, value_clone(r->build.arena, anchor->v), anchor->height);
}

static int on_start(struct reader *r, enum value_type type, const yaml_char_t *name,
		    const char *tag, struct place at)
{
	size_t nodes = r->build.nodes;

	if (tag && strcmp(tag, "!") &&
	    strcmp(tag, type == VALUE_OBJECT ? CORE "map" : CORE "seq"))
		return fail_tag(r, at, tag);
	if (wants_key(r))
		return fail(r, at, "a key must be a scalar");
	if ((int)r->frames.len >= r->build.limits->depth)
		return build_too_deep(&r->build, at, r->err);
	struct value *v = build_node(&r->build, type, at, r->err);
	if (!v)
		return -1;
	*vec_push(&r->frames) = (struct frame){
		.v = v,
		.anchor = anchor_new(r, name, NULL),
		.first = type == VALUE_OBJECT ? r->build.members.len : r->build.items.len,
		.nodes = nodes,
		.height = 1,
	};
	return 0;
}

static int on_end(struct reader *r)
{
	struct frame f = *top(r);

	r->frames.len--;
	if (f.v->type == VALUE_ARRAY)
		build_array(&r->build, f.first, f.v);
	else if (build_object(&r->build, f.first, f.v, r->err))
		return -1;
	if (f.anchor)
		*f.anchor = (struct anchor){f.v, r->build.nodes - f.nodes, f.height};
	return deliver(r, f.v, f.height);
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
	struct place at = place_from(e->start_mark);

	switch (e->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		map_clear(&r->anchors);
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		if (r->root && r->root->type != VALUE_NULL)
			*vec_push(&r->docs.list) = r->root;
		r->root = NULL;
		return 0;
	case YAML_ALIAS_EVENT:
		return on_alias(r, e, at);
	case YAML_SCALAR_EVENT:
		return on_scalar(r, e, at);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(r, VALUE_ARRAY, e->data.sequence_start.anchor,
				(const char *)e->data.sequence_start.tag, at);
	case YAML_MAPPING_START_EVENT:
		return on_start(r, VALUE_OBJECT, e->data.mapping_start.anchor,
				(const char *)e->data.mapping_start.tag, at);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(r);
	}
	return 0;
}

static int read_events(struct reader *r, const char *data, size_t len)
{
	yaml_event_type_t type;

	do {
		yaml_event_t e;

		if (!yaml_parser_parse(&r->parser, &e))
			return yaml_syntax_error(&r->parser, data, len, r->err);
		int rc = on_event(r, &e);
		type = e.type;
		yaml_event_delete(&e);
		if (rc)
			return -1;
	} while (type != YAML_STREAM_END_EVENT);
	return 0;
}

int value_yaml_parse(struct arena *a, const char *data, size_t len,
		     const struct value_limits *limits, struct value_docs *out,
		     struct error *err)
{
	struct reader r = {.build = {.arena = a, .limits = limits, .invalid = "YamlInvalid"},
			   .number = BUF_INIT,
			   .key = BUF_INIT,
			   .err = err};
	int rc;

	if (len > limits->bytes)
		return build_too_large(limits, len, err);
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, len);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	rc = yaml_check_bytes(data, len, err);
	if (!rc)
		rc = read_events(&r, data, len);
	for (size_t i = 0; !rc && i < r.docs.list.len; i++)
		*vec_push(&out->list) = r.docs.list.items[i];
	yaml_parser_delete(&r.parser);
	value_docs_clear(&r.docs);
	map_clear(&r.anchors);
	build_clear(&r.build);
	vec_clear(&r.frames);
	buf_clear(&r.number);
	buf_clear(&r.key);
	return rc;
}

void value_docs_clear(struct value_docs *docs)
{
	vec_clear(&docs->list);
}

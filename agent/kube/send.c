/* kube/send.c - requests on objects: verb, kind and name to method, path and body; and back. */
#include "kube/kube_int.h"

#include <stdlib.h>

#include "base/text.h"
#include "value/json.h"

void kube_put_path(struct buf *b, const struct kube_kind *kind, const char *ns,
		   const char *name)
{
	if (*kind->group) {
		buf_puts(b, "/apis/");
		http_put_encoded(b, kind->group);
		buf_putc(b, '/');
	} else {
		buf_puts(b, "/api/");
	}
	http_put_encoded(b, kind->version);
	if (kind->namespaced && ns && *ns) {
		buf_puts(b, "/namespaces/");
		http_put_encoded(b, ns);
	}
	buf_putc(b, '/');
	http_put_encoded(b, kind->plural);
	if (name) {
		buf_putc(b, '/');
		http_put_encoded(b, name);
	}
}

void kube_put_query(struct buf *b, const char *key, const char *value)
{
	buf_putc(b, memchr(b->ptr, '?', b->len) ? '&' : '?');
	buf_puts(b, key);
	buf_putc(b, '=');
	http_put_encoded(b, value);
}

static const char *method_of(enum kube_verb verb)
{
	switch (verb) {
	case KUBE_GET:
	case KUBE_LIST:
		return "GET";
	case KUBE_CREATE:
		return "POST";
	case KUBE_APPLY:
	case KUBE_MERGE_PATCH:
		return "PATCH";
	case KUBE_REPLACE:
		return "PUT";
	case KUBE_DELETE:
		return "DELETE";
	}
	return "GET";
}

static const char *content_type_of(enum kube_verb verb)
{
	switch (verb) {
	case KUBE_GET:
	case KUBE_LIST:
		return NULL;
	case KUBE_APPLY:
		return "Content-Type: application/apply-patch+yaml";
	case KUBE_MERGE_PATCH:
		return "Content-Type: application/merge-patch+json";
	case KUBE_CREATE:
	case KUBE_REPLACE:
	case KUBE_DELETE:
		return "Content-Type: " KUBE_JSON;
	}
	return NULL;
}

static bool writes_fields(enum kube_verb verb)
{
	return verb == KUBE_APPLY || verb == KUBE_MERGE_PATCH || verb == KUBE_CREATE ||
	       verb == KUBE_REPLACE;
}

static void put_request_path(struct buf *b, const struct kube_request *r)
{
	bool named = r->verb != KUBE_LIST && r->verb != KUBE_CREATE;

	kube_put_path(b, r->kind, r->ns, named ? r->name : NULL);
	if (r->subresource) {
		buf_putc(b, '/');
		http_put_encoded(b, r->subresource);
	}
	if (r->field_manager && writes_fields(r->verb))
		kube_put_query(b, "fieldManager", r->field_manager);
	if (r->verb == KUBE_APPLY) {
		if (r->force)
			kube_put_query(b, "force", "true");
		kube_put_query(b, "fieldValidation", "Strict");
	}
	if (r->dry_run && (writes_fields(r->verb) || r->verb == KUBE_DELETE))
		kube_put_query(b, "dryRun", "All");
	if (r->selector && r->verb == KUBE_LIST)
		kube_put_query(b, "labelSelector", r->selector);
}

static void put_delete_options(struct buf *b, const char *uid)
{
	buf_puts(b, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{"
		    "\"uid\":");
	json_put_string(b, uid, strlen(uid));
	buf_puts(b, "},\"propagationPolicy\":\"Background\"}");
}

/* Mistakes of the caller. "." and ".." would climb in the path: no object is called so. */
static int check(const struct kube_request *r, struct error *err)
{
	const char *kind = r->kind->kind, *name = r->name ? r->name : "";
	bool named = r->verb != KUBE_LIST && r->verb != KUBE_CREATE;

	if (named && (!*name || !strcmp(name, ".") || !strcmp(name, "..")))
		return error_set(err, ERROR_INVALID, "%s \"%s\": this is no name", kind, name);
	if (r->ns && (!strcmp(r->ns, ".") || !strcmp(r->ns, "..")))
		return error_set(err, ERROR_INVALID, "%s %s: \"%s\" is no namespace", kind,
				 name, r->ns);
	if (r->kind->namespaced && r->verb != KUBE_LIST && (!r->ns || !*r->ns))
		return error_set(err, ERROR_INVALID,
				 "%s %s: it needs a namespace, and has none", kind, name);
	if (r->verb == KUBE_DELETE && (!r->uid || !*r->uid))
		return error_set(err, ERROR_BUG, "%s %s: no delete without a uid", kind, name);
	if (r->verb == KUBE_APPLY && !r->field_manager)
		return error_set(err, ERROR_BUG, "%s %s: no apply without a field manager",
				 kind, name);
	return 0;
}

static void parse_body(const struct http_reply *r, struct kube_reply *out, struct error *err)
{
	const char *p = r->body.ptr;

	if (!r->body.len || (!text_starts(r->content_type, KUBE_JSON) && *p != '{'))
		return;
	out->arena = arena_new();
	if (value_json_parse(out->arena, p, r->body.len, &value_limits_api, &out->object, err) <
	    0)
		out->object = NULL;
}

/* kube_on_raw of every kube_send(). */
static void on_answer(void *arg, struct http_reply *r, int tries)
{
	struct kube_call *c = arg;
	struct kube_sent *sent = c->sent;
	struct kube_reply reply = {.status = r->status, .tries = tries};
	struct error parse = ERROR_INIT;

	parse_body(r, &reply, &parse);
	if (r->status < 200 || r->status > 299) {
		kube_explain(sent, r, reply.object, &reply.err, &reply.field);
	} else if (!reply.object) {
		error_reason(&reply.err, ERROR_TRANSIENT, "ServerError",
			     "%s %s: the answer of %s is no JSON object%s%s", sent->kind->kind,
			     sent->name ? sent->name : "", sent->peer, *parse.text ? ": " : "",
			     parse.text);
	}
	c->k->stats.requests[sent->verb]++;
	if (reply.err.kind)
		c->k->stats.failures++;
	sent->fn(sent->arg, &reply);
	arena_free(reply.arena);
}

struct kube_call *kube_send(struct kube *k, const struct kube_request *r, kube_on_reply *fn,
			    void *arg)
{
	AUTO(buf) path = BUF_INIT;
	AUTO(buf) options = BUF_INIT;
	struct error err = ERROR_INIT;
	bool refused = check(r, &err) < 0;

	if (!refused)
		put_request_path(&path, r);
	struct kube_raw raw = {
		.method = method_of(r->verb),
		.path = path.ptr,
		.content_type = content_type_of(r->verb),
		.body = r->body,
		.body_len = r->body_len,
		.deadline_ms = r->deadline_ms,
		.once = r->verb == KUBE_CREATE || r->verb == KUBE_REPLACE,
		.refused = refused ? &err : NULL,
	};
	if (r->metadata_only)
		raw.accept =
			r->verb == KUBE_LIST ? "Accept: " KUBE_META_LIST : "Accept: " KUBE_META;
	if (r->verb == KUBE_DELETE && !refused) {
		put_delete_options(&options, r->uid);
		raw.body = options.ptr;
		raw.body_len = options.len;
	}
	struct kube_call *c = kube_raw_start(k, &raw, on_answer, NULL);
	struct kube_sent *sent = c->sent = mem_alloc(sizeof *sent);
	sent->verb = r->verb;
	sent->kind = r->kind;
	sent->ns = r->kind->namespaced ? mem_strdup(r->ns) : NULL;
	sent->name = mem_strdup(r->name);
	sent->peer = k->config->server;
	sent->source = k->config->source;
	sent->fn = fn;
	sent->arg = arg;
	return c;
}

/*
 * kube/status.c - what an API server's refusal means: kind, reason, one sentence for people.
 *
 * The table stands in kube.h. What is said of a Secret names fields and reasons, never values.
 */
#include "kube/kube_int.h"

#include "base/text.h"

#define CAUSES_SHOWN 4

struct answer {
	const struct kube_sent *sent;
	const struct http_reply *http;
	const struct value *status, *details, *causes;
	const char *message, *reason;
	bool secret;
	struct buf subject;
};

/* "Deployment web in namespace shop", "ClusterRole admin", "all Pods". */
static void put_subject(struct buf *b, const struct kube_sent *s)
{
	bool list = s->verb == KUBE_LIST;

	buf_printf(b, "%s%s%s", s->kind->kind, s->name && !list ? " " : "",
		   s->name && !list ? s->name : "");
	if (list)
		buf_puts(b, " list");
	if (s->ns && *s->ns)
		buf_printf(b, " in namespace %s", s->ns);
}

/* Text of the server on one line. */
static void put_text(struct buf *b, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, " \t\r\n");

		buf_put_safe(b, s, n);
		s += n;
		n = strspn(s, " \t\r\n");
		if (n && s[n])
			buf_putc(b, ' ');
		s += n;
	}
}

static void put_cause(struct buf *b, const struct answer *a, const struct value *cause)
{
	const char *field = value_get_str(cause, "field");
	const char *message = value_get_str(cause, "message");
	const char *reason = value_get_str(cause, "reason");

	if (field && *field) {
		put_text(b, field);
		buf_puts(b, ": ");
	}
	if (a->secret)
		put_text(b, reason ? reason : "refused");
	else
		put_text(b, message ? message : reason ? reason : "refused");
}

/* The causes if there are any, else the message. */
static void put_why(struct buf *b, const struct answer *a)
{
	size_t n = value_len(a->causes), shown = 0;
	struct value *cause;

	array_each (a->causes, i, cause) {
		if (shown == CAUSES_SHOWN)
			break;
		if (shown++)
			buf_puts(b, "; ");
		put_cause(b, a, cause);
	}
	if (n > shown)
		buf_printf(b, "; and %zu more", n - shown);
	if (shown)
		return;
	if (a->secret && !strstr(a->message, "is forbidden: User \""))
		buf_puts(b, "its message is not shown, since it could quote the Secret");
	else
		put_text(b, a->message);
}

static void say(struct error *err, enum error_kind kind, const char *reason,
		const struct answer *a, const char *lead)
{
	AUTO(buf) why = BUF_INIT;

	put_why(&why, a);
	error_reason(err, kind, reason, "%s: %s%s%s", a->subject.ptr, lead, why.len ? ": " : "",
		     why.ptr);
}

/* "conflict with \"kubectl\" using v1" -> kubectl owns .data.a */
static void field_conflict(struct error *err, const struct answer *a)
{
	AUTO(buf) who = BUF_INIT;
	size_t n = value_len(a->causes), shown = 0;
	struct value *cause;

	array_each (a->causes, i, cause) {
		const char *message = value_get_str(cause, "message");
		const char *field = value_get_str(cause, "field");
		const char *from = message ? strchr(message, '"') : NULL;
		const char *to = from ? strchr(from + 1, '"') : NULL;

		if (shown == CAUSES_SHOWN)
			break;
		buf_puts(&who, shown++ ? ", " : "");
		put_text(&who, field ? field : "?");
		buf_puts(&who, " (");
		if (to)
			buf_put_safe(&who, from + 1, (size_t)(to - from) - 1);
		buf_puts(&who, ")");
	}
	if (n > shown)
		buf_printf(&who, " and %zu more", n - shown);
	error_reason(err, ERROR_CONFLICT, "FieldConflict",
		     "%s: other field managers own what it sets: %s", a->subject.ptr, who.ptr);
}

/* Errors of server-side apply's schema come as 500: they are the object's fault. */
static const char *schema_error(const struct answer *a)
{
	const char *m = a->message;

	if (text_starts(m, "failed to create typed patch object") ||
	    text_starts(m, "failed to create manager for existing fields") ||
	    text_starts(m, "failed to convert new object") ||
	    strstr(m, "field not declared in schema") || strstr(m, ": expected ")) {
		const char *end = strstr(m, "): ");
		const char *json = strstr(m, "error decoding from json: ");
		return json ? json : end ? end + 3 : m;
	}
	return NULL;
}

static bool too_large(const char *message)
{
	return strstr(message, "etcdserver: request is too large") ||
	       strstr(message, "trying to send message larger than max") ||
	       strstr(message, "ResourceExhausted");
}

static void forbidden(struct error *err, const struct answer *a)
{
	if (a->http->status == 401)
		error_reason(err, ERROR_DENIED, "Unauthorized",
			     "%s: %s does not accept our credentials (from %s): renew them",
			     a->subject.ptr, a->sent->peer, a->sent->source);
	else if (text_eq(value_get_str(value_at(a->causes, "#0", NULL), "reason"),
			 "NamespaceTerminating"))
		error_reason(err, ERROR_TRANSIENT, "NamespaceTerminating",
			     "%s: the namespace is being deleted", a->subject.ptr);
	else
		say(err, ERROR_DENIED, "Forbidden", a, "the API server forbids it");
}

static void not_found(struct error *err, const struct answer *a)
{
	const struct kube_kind *kind = a->sent->kind;
	const char *what = value_get_str(a->details, "kind");
	const char *name = value_get_str(a->details, "name");
	bool is_namespace = !*kind->group && !strcmp(kind->plural, "namespaces");

	if (text_eq(what, "namespaces") && name && !is_namespace)
		error_reason(err, ERROR_INVALID, "NamespaceMissing",
			     "%s: the namespace does not exist", a->subject.ptr);
	else if (name && *name)
		error_reason(err, ERROR_GONE, "NotFound", "%s: it does not exist",
			     a->subject.ptr);
	else
		error_reason(err, ERROR_GONE, "KindUnknown",
			     "%s: the API server does not serve %s in %s%s%s", a->subject.ptr,
			     kind->kind, kind->group, *kind->group ? "/" : "", kind->version);
}

static void server_error(struct error *err, const struct answer *a)
{
	const char *schema = schema_error(a);
	AUTO(buf) text = BUF_INIT;

	if (a->http->status == 500 && schema && a->secret) {
		error_reason(err, ERROR_INVALID, "Rejected",
			     "%s: the API server refuses it: a field is unknown, has a wrong "
			     "type, or is no base64",
			     a->subject.ptr);
	} else if (a->http->status == 500 && schema) {
		put_text(&text, schema);
		error_reason(err, ERROR_INVALID, "Rejected",
			     "%s: the API server refuses it: %s", a->subject.ptr, text.ptr);
	} else if (too_large(a->message)) {
		error_reason(err, ERROR_INVALID, "TooLarge",
			     "%s: it is larger than the API server can store (1.5 MiB)",
			     a->subject.ptr);
	} else {
		char lead[64];
		snprintf(lead, sizeof lead, "the API server has a problem (HTTP %d)",
			 a->http->status);
		say(err, ERROR_TRANSIENT, "ServerError", a, lead);
	}
}

static void no_answer(struct error *err, const struct answer *a)
{
	const struct error *e = &a->http->err;
	const char *reason = e->reason;

	if (!reason)
		reason = e->kind == ERROR_TRANSIENT ? "Unreachable"
			 : e->kind == ERROR_DENIED  ? "TlsFailed"
						    : NULL;
	error_reason(err, e->kind, reason, "%s: %s", a->subject.ptr, e->text);
}

static void explain(struct error *err, const struct answer *a)
{
	const char *first = value_get_str(value_at(a->causes, "#0", NULL), "reason");

	switch (a->http->status) {
	case 0:
		no_answer(err, a);
		return;
	case 401:
	case 403:
		forbidden(err, a);
		return;
	case 404:
		not_found(err, a);
		return;
	case 409:
		if (text_eq(first, "FieldManagerConflict"))
			field_conflict(err, a);
		else
			say(err, ERROR_CONFLICT, "Conflict", a,
			    "somebody else's write came first");
		return;
	case 410:
		say(err, ERROR_GONE, "Expired", a, "the version asked for is too old");
		return;
	case 413:
		error_reason(err, ERROR_INVALID, "TooLarge",
			     "%s: it is larger than the API server accepts (3 MiB)",
			     a->subject.ptr);
		return;
	case 429:
		say(err, ERROR_TRANSIENT, "ServerBusy", a, "the API server is busy");
		return;
	}
	if (a->http->status >= 500)
		server_error(err, a);
	else
		say(err, ERROR_INVALID, "Rejected", a, "the API server refuses it");
}

void kube_explain(const struct kube_sent *sent, const struct http_reply *r,
		  const struct value *status, struct error *err, const char **field)
{
	struct answer a = {
		.sent = sent, .http = r, .status = status, .message = "", .reason = ""};
	const char *text;

	buf_init(&a.subject);
	put_subject(&a.subject, sent);
	a.secret = !*sent->kind->group && !strcmp(sent->kind->kind, "Secret");
	if (text_eq(value_get_str(status, "kind"), "Status")) {
		a.details = value_get(status, "details");
		a.causes = value_get(a.details, "causes");
		if ((text = value_get_str(status, "message")))
			a.message = text;
		if ((text = value_get_str(status, "reason")))
			a.reason = text;
	}
	if (field)
		*field = value_get_str(value_at(a.causes, "#0", NULL), "field");
	explain(err, &a);
	buf_clear(&a.subject);
}

/* kube/status.c: the table of refusals, with answers as Kubernetes 1.36 gives them. */
#include "test.h"

#include "base/mem.h"
#include "kube/kube_int.h"
#include "value/json.h"

static const struct kube_kind config_map = {.group = "",
					    .version = "v1",
					    .kind = "ConfigMap",
					    .plural = "configmaps",
					    .namespaced = true};
static const struct kube_kind deployment = {.group = "apps",
					    .version = "v1",
					    .kind = "Deployment",
					    .plural = "deployments",
					    .namespaced = true};
static const struct kube_kind secret = {.group = "",
					.version = "v1",
					.kind = "Secret",
					.plural = "secrets",
					.namespaced = true};
static const struct kube_kind namespace = {
	.group = "", .version = "v1", .kind = "Namespace", .plural = "namespaces"};

#define STATUS(rest) "{\"kind\":\"Status\"," rest "}"
#define CAUSE(reason, message, field) \
	"{\"reason\":\"" reason "\",\"message\":\"" message "\",\"field\":\"" field "\"}"

static const struct {
	const char *name;
	const struct kube_kind *kind;
	int status;
	const char *body;
	enum error_kind want;
	const char *reason, *text, *field;
} rows[] = {
	{"invalid value", &deployment, 422,
	 STATUS("\"message\":\"Deployment.apps \\\"x\\\" is "
		"invalid\",\"details\":{\"causes\":[" CAUSE(
			"FieldValueInvalid",
			"Invalid value: -1: must be greater than or equal to 0",
			"spec.replicas") "]}"),
	 ERROR_INVALID, "Rejected",
	 "Deployment x in namespace n: the API server refuses it: spec.replicas: Invalid "
	 "value: -1: "
	 "must be greater than or equal to 0",
	 "spec.replicas"},
	{"schema", &deployment, 500,
	 STATUS("\"message\":\"failed to create typed patch object (n/x; apps/v1, "
		"Kind=Deployment): .spec.foo: field not declared in schema\""),
	 ERROR_INVALID, "Rejected",
	 "Deployment x in namespace n: the API server refuses it: .spec.foo: field not "
	 "declared in "
	 "schema",
	 NULL},
	{"several schema errors", &deployment, 500,
	 STATUS("\"message\":\"failed to create typed patch object (n/x; apps/v1, "
		"Kind=Deployment): errors:\\n  .a: field not declared in schema\\n  .b: "
		"expected "
		"numeric (int or float), got string\""),
	 ERROR_INVALID, "Rejected",
	 "Deployment x in namespace n: the API server refuses it: errors: .a: field not "
	 "declared in "
	 "schema .b: expected numeric (int or float), got string",
	 NULL},
	{"base64", &config_map, 500,
	 STATUS("\"message\":\"failed to convert new object (n/x; /v1, Kind=ConfigMap) to "
		"proper "
		"version: unable to convert unstructured object to /v1, Kind=ConfigMap: error "
		"decoding from json: illegal base64 data at input byte 6\""),
	 ERROR_INVALID, "Rejected",
	 "ConfigMap x in namespace n: the API server refuses it: error decoding from json: "
	 "illegal "
	 "base64 data at input byte 6",
	 NULL},
	{"field conflict", &config_map, 409,
	 STATUS("\"details\":{\"causes\":[" CAUSE(
		 "FieldManagerConflict", "conflict with \\\"kubectl\\\" using v1",
		 ".data.a") "," CAUSE("FieldManagerConflict", "conflict with \\\"hpa\\\"",
				      ".data.b") "]}"),
	 ERROR_CONFLICT, "FieldConflict",
	 "ConfigMap x in namespace n: other field managers own what it sets: .data.a "
	 "(kubectl), "
	 ".data.b (hpa)",
	 ".data.a"},
	{"conflict", &config_map, 409, STATUS("\"message\":\"the object has been modified\""),
	 ERROR_CONFLICT, "Conflict",
	 "ConfigMap x in namespace n: somebody else's write came first: the object has been "
	 "modified",
	 NULL},
	{"no object", &config_map, 404,
	 STATUS("\"details\":{\"kind\":\"configmaps\",\"name\":\"x\"}"), ERROR_GONE, "NotFound",
	 "ConfigMap x in namespace n: it does not exist", NULL},
	{"no namespace", &config_map, 404,
	 STATUS("\"details\":{\"kind\":\"namespaces\",\"name\":\"n\"}"), ERROR_INVALID,
	 "NamespaceMissing", "ConfigMap x in namespace n: the namespace does not exist", NULL},
	{"namespace itself", &namespace, 404,
	 STATUS("\"details\":{\"kind\":\"namespaces\",\"name\":\"x\"}"), ERROR_GONE, "NotFound",
	 "Namespace x: it does not exist", NULL},
	{"no path", &deployment, 404, "404 page not found\n", ERROR_GONE, "KindUnknown",
	 "Deployment x in namespace n: the API server does not serve Deployment in apps/v1",
	 NULL},
	{"no credentials", &config_map, 401, STATUS("\"message\":\"Unauthorized\""),
	 ERROR_DENIED, "Unauthorized",
	 "ConfigMap x in namespace n: https://h does not accept our credentials (from file): "
	 "renew "
	 "them",
	 NULL},
	{"forbidden", &config_map, 403,
	 STATUS("\"message\":\"configmaps \\\"x\\\" is forbidden: User \\\"u\\\" cannot "
		"patch\""),
	 ERROR_DENIED, "Forbidden",
	 "ConfigMap x in namespace n: the API server forbids it: configmaps \"x\" is "
	 "forbidden: "
	 "User \"u\" cannot patch",
	 NULL},
	{"namespace going", &config_map, 403,
	 STATUS("\"details\":{\"causes\":[" CAUSE("NamespaceTerminating", "being terminated",
						  "metadata.namespace") "]}"),
	 ERROR_TRANSIENT, "NamespaceTerminating",
	 "ConfigMap x in namespace n: the namespace is being deleted", "metadata.namespace"},
	{"too large", &config_map, 413, "", ERROR_INVALID, "TooLarge",
	 "ConfigMap x in namespace n: it is larger than the API server accepts (3 MiB)", NULL},
	{"too large for etcd", &config_map, 500,
	 STATUS("\"message\":\"etcdserver: request is too large\""), ERROR_INVALID, "TooLarge",
	 "ConfigMap x in namespace n: it is larger than the API server can store (1.5 MiB)",
	 NULL},
	{"busy", &config_map, 429, STATUS("\"message\":\"too many requests\""), ERROR_TRANSIENT,
	 "ServerBusy", "ConfigMap x in namespace n: the API server is busy: too many requests",
	 NULL},
	{"gateway", &config_map, 502, "<html>", ERROR_TRANSIENT, "ServerError",
	 "ConfigMap x in namespace n: the API server has a problem (HTTP 502)", NULL},
	{"bad request", &config_map, 400, STATUS("\"message\":\"duplicate field \\\"a\\\"\""),
	 ERROR_INVALID, "Rejected",
	 "ConfigMap x in namespace n: the API server refuses it: duplicate field \"a\"", NULL},
	{"control characters", &config_map, 400, STATUS("\"message\":\"a\\u001b[31m\\nb\""),
	 ERROR_INVALID, "Rejected",
	 "ConfigMap x in namespace n: the API server refuses it: a?[31m b", NULL},
	{"secret value", &secret, 422,
	 STATUS("\"message\":\"CANARY\",\"details\":{\"causes\":[" CAUSE(
		 "FieldValueInvalid", "Invalid value: CANARY", "data.p") "]}"),
	 ERROR_INVALID, "Rejected",
	 "Secret x in namespace n: the API server refuses it: data.p: FieldValueInvalid",
	 "data.p"},
	{"secret message", &secret, 400, STATUS("\"message\":\"CANARY\""), ERROR_INVALID,
	 "Rejected",
	 "Secret x in namespace n: the API server refuses it: its message is not shown, since "
	 "it "
	 "could quote the Secret",
	 NULL},
	{"secret schema", &secret, 500,
	 STATUS("\"message\":\"failed to create typed patch object (): .CANARY: expected "
		"string\""),
	 ERROR_INVALID, "Rejected",
	 "Secret x in namespace n: the API server refuses it: a field is unknown, has a wrong "
	 "type, "
	 "or is no base64",
	 NULL},
	{"secret forbidden", &secret, 403,
	 STATUS("\"message\":\"secrets \\\"x\\\" is forbidden: User \\\"u\\\" cannot get\""),
	 ERROR_DENIED, "Forbidden",
	 "Secret x in namespace n: the API server forbids it: secrets \"x\" is forbidden: User "
	 "\"u\" "
	 "cannot get",
	 NULL},
};

static void test_status__every_refusal_in_words(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		struct value *doc = NULL;
		struct error err = ERROR_INIT;
		const char *field = NULL;
		struct http_reply r = {.status = rows[i].status};
		const struct kube_sent sent = {.verb = KUBE_APPLY,
					       .kind = rows[i].kind,
					       .ns = rows[i].kind->namespaced ? "n" : NULL,
					       .name = "x",
					       .peer = "https://h",
					       .source = "file"};

		if (*rows[i].body == '{')
			assert_row(!value_json_parse(a, rows[i].body, strlen(rows[i].body),
						     &value_limits_api, &doc, &err),
				   rows[i].name);
		kube_explain(&sent, &r, doc, &err, &field);
		assert_row_text(err.text, rows[i].text, rows[i].name);
		assert_row_text(err.reason, rows[i].reason, rows[i].name);
		assert_row(err.kind == rows[i].want, rows[i].name);
		assert_row_text(field, rows[i].field, rows[i].name);
	}
}

static void test_status__many_causes_are_counted(void **state)
{
	AUTO_ARENA a = arena_new();
	AUTO(buf) body = BUF_INIT;
	struct value *doc;
	struct error err = ERROR_INIT;
	struct http_reply r = {.status = 422};
	const struct kube_sent sent = {
		.kind = &config_map, .ns = "n", .name = "x", .verb = KUBE_APPLY};

	buf_puts(&body, "{\"kind\":\"Status\",\"details\":{\"causes\":[");
	for (int i = 0; i < 7; i++)
		buf_printf(&body, "%s" CAUSE("R", "bad", "f%d"), i ? "," : "", i);
	buf_puts(&body, "]}}");
	assert_int_equal(value_json_parse(a, body.ptr, body.len, &value_limits_api, &doc, NULL),
			 0);
	kube_explain(&sent, &r, doc, &err, NULL);
	assert_string_equal(err.text,
			    "ConfigMap x in namespace n: the API server refuses it: f0: bad; "
			    "f1: bad; f2: bad; f3: bad; and 3 more");
}

static void test_status__no_answer_keeps_what_the_transport_says(void **state)
{
	struct error err = ERROR_INIT;
	struct http_reply r = {.status = 0};
	const struct kube_sent sent = {.kind = &config_map, .ns = "n", .verb = KUBE_LIST};

	error_set(&r.err, ERROR_TRANSIENT, "https://h: can't connect");
	kube_explain(&sent, &r, NULL, &err, NULL);
	assert_error(&err, ERROR_TRANSIENT, "Unreachable",
		     "ConfigMap list in namespace n: https://h: can't connect");
	error_set(&r.err, ERROR_DENIED, "https://h: TLS: bad");
	kube_explain(&sent, &r, NULL, &err, NULL);
	assert_error(&err, ERROR_DENIED, "TlsFailed",
		     "ConfigMap list in namespace n: https://h: TLS: bad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status__every_refusal_in_words),
		cmocka_unit_test(test_status__many_causes_are_counted),
		cmocka_unit_test(test_status__no_answer_keeps_what_the_transport_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kube/config.c and config_user.c: files found and merged as kubectl does, every refusal in
 * words. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "kube/config_int.h"

static char dir[64];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/kube-config-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	setenv("HOME", dir, 1);
	return 0;
}

static int tear_down(void **state)
{
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", dir);

	return system(command);
}

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	AUTO_FREE char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct kube_config *parse(const char *text, bool no_exec, struct error *err)
{
	struct kube_config_options o = {.no_exec = no_exec};
	struct kube_config *c = NULL;

	if (kube_config_parse(text, strlen(text), "/etc/kube", &o, &c, err))
		return NULL;
	return c;
}

#define CONTEXT		  "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
#define CLUSTER		  "clusters: [{name: k, cluster: {server: 'https://h:6443'}}]\n"
#define WITH_USER(fields) CONTEXT CLUSTER "users: [{name: u, user: {" fields "}}]\n"
#define WITH_CLUSTER(fields) \
	CONTEXT "users: [{name: u}]\nclusters: [{name: k, cluster: {" fields "}}]\n"

static void test_config__all_fields(void **state)
{
	const char *text =
		"apiVersion: v1\nkind: Config\ncurrent-context: c\n"
		"contexts: [{name: c, context: {cluster: k, user: u, namespace: shop}}]\n"
		"clusters: [{name: k, cluster: {server: 'https://h:6443/x/', tls-server-name: "
		"api,\n"
		"  certificate-authority: ca.pem, proxy-url: 'socks5://p:1',\n"
		"  disable-compression: true}}]\n"
		"users: [{name: u, user: {client-certificate: ../u.crt, client-key-data: "
		"a2V5,\n"
		"  token: t, tokenFile: /run/t, as: jane, as-uid: '7', as-groups: [a, b],\n"
		"  as-user-extra: {Some/Key: [v]}}}]\n";
	struct error err = ERROR_INIT;
	struct kube_config *c = parse(text, false, &err);

	if (!c)
		fail_msg("%s", err.text);
	assert_string_equal(kube_config_server(c), "https://h:6443/x");
	assert_string_equal(kube_config_namespace(c), "shop");
	assert_false(kube_config_in_cluster(c));
	assert_string_equal(c->server_name, "api");
	assert_string_equal(c->ca_file, "/etc/kube/ca.pem");
	assert_string_equal(c->proxy, "socks5://p:1");
	assert_true(c->no_compression);
	assert_string_equal(c->cert_file, "/etc/kube/../u.crt");
	assert_string_equal(c->key_data, "key");
	assert_string_equal(c->token_file, "/run/t");
	assert_string_equal(c->token, "t");
	static const char *const lines[] = {"Impersonate-User: jane", "Impersonate-Uid: 7",
					    "Impersonate-Group: a", "Impersonate-Group: b",
					    "Impersonate-Extra-some%2Fkey: v"};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_string_equal(c->impersonate[i], lines[i]);
	assert_null(c->impersonate[ARRAY_LEN(lines)]);
	kube_config_free(c);
}

static void test_config__data_wins_over_files_and_default_namespace(void **state)
{
	struct kube_config *c =
		parse(WITH_CLUSTER("server: 'https://h', certificate-authority: f, "
				   "certificate-authority-data: Y2E="),
		      false, NULL);

	assert_non_null(c);
	assert_string_equal(c->ca_data, "ca");
	assert_null(c->ca_file);
	assert_string_equal(c->ns, "default");
	kube_config_free(c);
}

static void test_config__every_refusal_says_what_to_do(void **state)
{
	static const struct {
		const char *yaml;
		bool no_exec;
		enum error_kind kind;
		const char *text;
	} rows[] = {
		{WITH_USER("auth-provider: {name: gcp}"), false, ERROR_REFUSED,
		 "user u: auth-provider gcp is not supported"},
		{WITH_USER("username: a, password: b"), false, ERROR_REFUSED,
		 "user u: username and password are not supported"},
		{WITH_USER("exec: {command: x, apiVersion: client.authentication.k8s.io/v1}"),
		 true, ERROR_REFUSED,
		 "user u: exec is not allowed in a kubeconfig from a Secret"},
		{WITH_USER("tokenFile: t"), true, ERROR_REFUSED, "tokenFile is not allowed"},
		{WITH_USER("client-certificate: t"), true, ERROR_REFUSED,
		 "client-certificate is not allowed"},
		{WITH_CLUSTER("server: 'https://h', certificate-authority: f"), true,
		 ERROR_REFUSED, "certificate-authority is not allowed"},
		{WITH_CLUSTER("server: 'https://h', proxy-url: 'http://p'"), true,
		 ERROR_REFUSED, "proxy-url is not allowed"},
		{WITH_CLUSTER("server: 'h:6443'"), false, ERROR_INVALID,
		 "cluster k: server is \"h:6443\", wanted https://"},
		{WITH_CLUSTER("server: 'https://h', proxy-url: 'p'"), false, ERROR_INVALID,
		 "proxy-url \"p\": wanted http://"},
		{WITH_CLUSTER("server: 'https://h', insecure-skip-tls-verify: true, "
			      "certificate-authority: f"),
		 false, ERROR_INVALID, "exclude each other"},
		{WITH_CLUSTER("server: 'https://h', certificate-authority-data: '%%'"), false,
		 ERROR_INVALID, "certificate-authority-data is not base64"},
		{WITH_USER("client-certificate-data: Y2VydA=="), false, ERROR_INVALID,
		 "there is a client-certificate but no client-key"},
		{WITH_USER("as-groups: [a]"), false, ERROR_INVALID, "need as"},
		{WITH_USER("as: \"a\\nX: b\""), false, ERROR_INVALID, "only printable ASCII"},
		{WITH_USER("exec: {command: x, apiVersion: "
			   "client.authentication.k8s.io/v1alpha1}"),
		 false, ERROR_INVALID, "exec.apiVersion is"},
		{WITH_USER("exec: {command: x, interactiveMode: Always, apiVersion: "
			   "client.authentication.k8s.io/v1}"),
		 false, ERROR_REFUSED, "has no terminal"},
		{WITH_USER("exec: {command: x, provideClusterInfo: true, apiVersion: "
			   "client.authentication.k8s.io/v1}"),
		 false, ERROR_REFUSED, "exec.provideClusterInfo is not supported"},
		{"kind: Pod\n", false, ERROR_INVALID, "kind is Pod, wanted Config"},
		{"contexts: []\n", false, ERROR_INVALID, "no current-context is set"},
		{"current-context: x\ncontexts: [{name: b}, {name: a}]\n", false, ERROR_INVALID,
		 "there is no context \"x\"; there are: a, b"},
		{CONTEXT, false, ERROR_INVALID, "there is no cluster \"k\"; there are: none"},
		{CONTEXT CLUSTER, false, ERROR_INVALID, "there is no user \"u\""},
		{"[1]", false, ERROR_INVALID, "wanted a kubeconfig"},
		{"contexts: 7", false, ERROR_INVALID, "contexts: number, wanted a list"},
		{"contexts: [{context: {}}]", false, ERROR_INVALID, "contexts[0]: no name"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = ERROR_INIT;
		assert_row(!parse(rows[i].yaml, rows[i].no_exec, &err), rows[i].text);
		assert_row(strstr(err.text, rows[i].text), err.text);
		assert_row(err.kind == rows[i].kind, rows[i].text);
	}
}

static struct kube_config *load(struct kube_config_options o, struct error *err)
{
	struct kube_config *c = NULL;

	return kube_config_load(&o, &c, err) ? NULL : c;
}

static void test_config__files_merge_and_the_first_wins_whole(void **state)
{
	AUTO_FREE char *list =
		mem_printf("%s/missing::%s/one:%s/two:%s/one", dir, dir, dir, dir);
	struct error err = ERROR_INIT;

	put("one", "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
		   "clusters: [{name: k, cluster: {server: 'https://one'}}]\n");
	put("two",
	    "current-context: c\nusers: [{name: u, user: {tokenFile: t}}]\n"
	    "clusters: [{name: k, cluster: {server: 'https://two', tls-server-name: x}}]\n"
	    "contexts: [{name: d, context: {cluster: k, user: u, namespace: shop}}]\n");
	setenv("KUBECONFIG", list, 1);
	struct kube_config *c = load((struct kube_config_options){0}, &err);
	if (!c)
		fail_msg("%s", err.text);
	assert_string_equal(c->server, "https://one");
	assert_null(c->server_name);
	AUTO_FREE char *token = in_dir("t");
	assert_string_equal(c->token_file, token); /* relative to its own file */
	kube_config_free(c);
	c = load((struct kube_config_options){.context = "d"}, &err);
	assert_non_null(c);
	assert_string_equal(c->ns, "shop");
	kube_config_free(c);
}

static void test_config__explicit_file_is_the_only_one(void **state)
{
	AUTO_FREE char *path = in_dir("mine"), *absent = in_dir("absent");
	struct error err = ERROR_INIT;

	setenv("KUBECONFIG", "/dev/null", 1);
	put("mine", WITH_USER("token: x"));
	struct kube_config *c = load((struct kube_config_options){.kubeconfig = path}, &err);
	assert_non_null(c);
	kube_config_free(c);
	assert_null(load((struct kube_config_options){.kubeconfig = absent}, &err));
	assert_non_null(strstr(err.text, "absent does not exist"));
	put("mine", "a: [");
	assert_null(load((struct kube_config_options){.kubeconfig = path}, &err));
	assert_non_null(strstr(err.text, "mine: "));
	assert_non_null(strstr(err.text, "line"));
}

static void test_config__usual_place_then_words(void **state)
{
	struct error err = ERROR_INIT;
	AUTO_FREE char *kube = in_dir(".kube");

	assert_null(load((struct kube_config_options){0}, &err));
	assert_non_null(
		strstr(err.text, ".kube/config does not exist: name one with --kubeconfig"));
	mkdir(kube, 0700);
	put(".kube/config", WITH_USER("token: x"));
	struct kube_config *c = load((struct kube_config_options){0}, &err);
	assert_non_null(c);
	kube_config_free(c);
}

static void test_config__from_inside_a_pod(void **state)
{
	struct kube_config *c;
	struct error err = ERROR_INIT;

	assert_int_equal(kube_config_from_pod(dir, "10.0.0.1", "443", &c, &err), -1);
	assert_non_null(strstr(err.text, "automountServiceAccountToken"));
	put("token", "t");
	put("ca.crt", "x");
	put("namespace", "tenant\n");
	assert_int_equal(kube_config_from_pod(dir, "10.0.0.1", "443", &c, &err), 0);
	assert_string_equal(c->server, "https://10.0.0.1:443");
	assert_string_equal(c->ns, "tenant");
	assert_true(kube_config_in_cluster(c));
	kube_config_free(c);
	assert_int_equal(kube_config_from_pod(dir, "fd00::1", "443", &c, &err), 0);
	assert_string_equal(c->server, "https://[fd00::1]:443");
	kube_config_free(c);
	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_null(
		load((struct kube_config_options){0}, &err)); /* chosen, but no files there */
	assert_non_null(strstr(err.text, "in-cluster: "));
}

static void test_config__credentials_go_over_plain_http_only_to_ourselves(void **state)
{
	static const struct {
		const char *yaml;
		bool sent;
	} rows[] = {
		{WITH_CLUSTER("server: 'https://far'"), true},
		{WITH_CLUSTER("server: 'http://far'"), false},
		{WITH_CLUSTER("server: 'http://127.0.0.1:80'"), true},
		{WITH_CLUSTER("server: 'http://localhost'"), true},
		{WITH_CLUSTER("server: 'http://localhost.evil'"), false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kube_config *c = parse(rows[i].yaml, false, NULL);
		assert_row(c && c->send_credentials == rows[i].sent, rows[i].yaml);
		kube_config_free(c);
	}
}

static void test_plugin__gets_arguments_and_environment(void **state)
{
	struct kube_config *c;
	const char *yaml =
		WITH_USER("exec: {command: ./p, args: [a, b], env: [{name: HOME, value: "
			  "x}], apiVersion: client.authentication.k8s.io/v1}");

	c = parse(yaml, false, NULL);
	assert_non_null(c);
	assert_string_equal(c->exec->argv[0], "/etc/kube/./p");
	assert_string_equal(c->exec->argv[2], "b");
	assert_null(c->exec->argv[3]);
	assert_string_equal(c->exec->env[0], "HOME=x");
	assert_string_equal(
		c->exec->env[1],
		"KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":"
		"\"client.authentication.k8s.io/v1\",\"spec\":{\"interactive\":false}}");
	for (int i = 2; c->exec->env[i]; i++)
		assert_int_not_equal(strncmp(c->exec->env[i], "HOME=", 5), 0);
	kube_config_free(c);
}

static void test_plugin__answer_is_read_strictly(void **state)
{
	const struct kube_exec exec = {.command = "p", .api_version = "a/v1"};
	static const struct {
		const char *json, *text; /* text NULL: fine */
	} rows[] = {
		{"{\"kind\":\"ExecCredential\",\"apiVersion\":\"a/"
		 "v1\",\"status\":{\"token\":\"s\","
		 "\"expirationTimestamp\":\"2030-01-01T00:00:00Z\"}}",
		 NULL},
		{"{\"kind\":\"ExecCredential\",\"apiVersion\":\"a/"
		 "v2\",\"status\":{\"token\":\"s\"}}",
		 "it answered a/v2 ExecCredential, wanted a/v1"},
		{"{\"kind\":\"ExecCredential\",\"apiVersion\":\"a/v1\",\"status\":{}}",
		 "no token and no certificate"},
		{"{\"kind\":\"ExecCredential\",\"apiVersion\":\"a/v1\",\"status\":{"
		 "\"clientKeyData\":\"k\"}}",
		 "a key without certificate"},
		{"{\"kind\":\"ExecCredential\",\"apiVersion\":\"a/"
		 "v1\",\"status\":{\"token\":\"s\","
		 "\"expirationTimestamp\":\"soon\"}}",
		 "expirationTimestamp is no time"},
		{"SECRET", "its output is no JSON"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kube_credential cred = {0};
		struct error err = ERROR_INIT;
		int rc = kube_credential_parse(&exec, rows[i].json, strlen(rows[i].json), &cred,
					       &err);
		assert_row(!rc == !rows[i].text, rows[i].json);
		assert_row(!rc || strstr(err.text, rows[i].text), err.text);
		assert_row(!strstr(err.text, "SECRET"), "quoted");
		if (!rc)
			assert_string_equal(cred.token, "s");
		kube_credential_clear(&cred);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_config__all_fields),
		T(test_config__data_wins_over_files_and_default_namespace),
		T(test_config__every_refusal_says_what_to_do),
		T(test_config__files_merge_and_the_first_wins_whole),
		T(test_config__explicit_file_is_the_only_one),
		T(test_config__usual_place_then_words),
		T(test_config__from_inside_a_pod),
		T(test_config__credentials_go_over_plain_http_only_to_ourselves),
		T(test_plugin__gets_arguments_and_environment),
		T(test_plugin__answer_is_read_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

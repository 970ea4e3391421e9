/* kube/auth.c: credentials that change while the client runs. */
#include "kube_story.h"

#include <sys/stat.h>
#include <unistd.h>

#include "kube/kube_int.h"

static char dir[64];

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void put(const char *name, const char *text, int mode)
{
	AUTO_FREE char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, (mode_t)mode);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/kube-auth-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return story_set_up(state);
}

static int tear_down(void **state)
{
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", dir);

	return system(command) || story_tear_down(state);
}

/* A client with this user in place of the usual one. */
static int connect_as(struct story *s, const char *user, struct error *err)
{
	AUTO_FREE char *yaml =
		mem_printf("current-context: c\n"
			   "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
			   "clusters: [{name: k, cluster: {server: '%s'}}]\n"
			   "users: [{name: u, user: {%s}}]\n",
			   apiserver_url(s->server), user);
	const struct kube_config_options o = {0};
	struct kube_config *c;

	kube_free(s->kube);
	s->kube = NULL;
	if (kube_config_parse(yaml, strlen(yaml), dir, &o, &c, err))
		return -1;
	return kube_new(s->loop, c, &s->kube, err);
}

static struct kube_request get_namespace(struct story *s)
{
	static struct kube_kind kind;

	kind = (struct kube_kind){
		.group = "", .version = "v1", .kind = "Namespace", .plural = "namespaces"};
	return (struct kube_request){
		.verb = KUBE_GET, .kind = &kind, .name = "default", .deadline_ms = SLOW};
}

static const char *sent(struct story *s)
{
	return apiserver_seen(s->server, "GET", NULL)->authorization;
}

static void test_auth__token_file_is_read_again_after_a_401(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault no = {.kind = FAULT_STATUS, .status = 401, .times = 1};

	put("token", "first\n", 0600);
	assert_int_equal(connect_as(s, "tokenFile: token, token: other", NULL), 0);
	story_send(s, get_namespace(s), &a);
	assert_string_equal(sent(s), "Bearer first");
	put("token", "second", 0600);
	story_send(s, get_namespace(s), &a);
	assert_string_equal(sent(s), "Bearer first"); /* remembered for a minute */
	apiserver_fault(s->server, &no);
	story_send(s, get_namespace(s), &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.tries, 2);
	assert_string_equal(sent(s), "Bearer second");
	put("token", "", 0600); /* an empty one keeps the old */
	apiserver_clear_faults(s->server);
	apiserver_fault(s->server, &no);
	story_send(s, get_namespace(s), &a);
	assert_string_equal(sent(s), "Bearer second");
	answer_clear(&a);
}

static void test_auth__old_token_file_is_read_again(void **state)
{
	struct story *s = *state;
	struct answer a = {0};

	put("token", "first", 0600);
	assert_int_equal(connect_as(s, "tokenFile: token", NULL), 0);
	put("token", "second", 0600);
	s->kube->auth.token_read_at -= 51000;
	story_send(s, get_namespace(s), &a);
	assert_string_equal(sent(s), "Bearer second");
	answer_clear(&a);
}

static void test_auth__second_401_is_the_answer(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault no = {.kind = FAULT_STATUS, .status = 401};

	put("token", "first", 0600);
	assert_int_equal(connect_as(s, "tokenFile: token", NULL), 0);
	apiserver_forget(s->server);
	apiserver_fault(s->server, &no);
	story_send(s, get_namespace(s), &a);
	assert_int_equal(a.err.kind, ERROR_DENIED);
	assert_string_equal(a.err.reason, "Unauthorized");
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 2);
	assert_null(strstr(a.err.text, "first"));
	answer_clear(&a);
}

static void test_auth__impersonation_goes_with_every_request(void **state)
{
	struct story *s = *state;
	struct answer a = {0};

	assert_int_equal(connect_as(s, "token: t, as: jane", NULL), 0);
	story_send(s, get_namespace(s), &a);
	assert_string_equal(apiserver_seen(s->server, "GET", NULL)->impersonate, "jane");
	answer_clear(&a);
}

#define EXEC                                                                      \
	"exec: {command: ./plugin, apiVersion: client.authentication.k8s.io/v1, " \
	"interactiveMode: "                                                       \
	"Never}"
/* Gives t1, t2, ... and expires in `expires`. */
#define PLUGIN(expires)                                                                     \
	"#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho x >>runs\nn=$(wc -l <runs)\n"            \
	"echo "                                                                             \
	"'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\"," \
	"\"status\":{\"token\":\"t'$((n))'\"" expires "}}'\n"

static void test_auth__plugin_is_run_at_first_and_after_a_401(void **state)
{
	struct story *s = *state;
	struct answer a = {0}, b = {0};
	struct fault no = {.kind = FAULT_STATUS, .status = 401, .times = 2};
	struct error err = ERROR_INIT;

	put("plugin", PLUGIN(""), 0700);
	if (connect_as(s, EXEC, &err))
		fail_msg("%s", err.text);
	story_send(s, get_namespace(s), &a);
	assert_string_equal(sent(s), "Bearer t1");
	apiserver_fault(s->server, &no);
	s->kube->auth.plugin_ran_at -= 6000; /* it is not run twice in five seconds */
	struct kube_request r = get_namespace(s);
	kube_send(s->kube, &r, story_on_reply, &b);
	story_send(s, r, &a);
	assert_true(apiserver_run_until(s->server, &b.done, SLOW));
	assert_int_equal(a.status, 200);
	assert_int_equal(b.status, 200);
	assert_string_equal(sent(s), "Bearer t2"); /* one run for both */
	answer_clear(&a);
	answer_clear(&b);
}

static void test_auth__plugin_is_run_again_when_its_token_expires(void **state)
{
	struct story *s = *state;
	struct answer a = {0};

	put("plugin", PLUGIN(",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\""), 0700);
	assert_int_equal(connect_as(s, EXEC, NULL), 0);
	s->kube->auth.plugin_ran_at -= 6000;
	story_send(s, get_namespace(s), &a);
	assert_string_equal(sent(s), "Bearer t2");
	answer_clear(&a);
}

static void test_auth__plugin_that_fails_says_why(void **state)
{
	struct story *s = *state;
	struct error err = ERROR_INIT;

	put("plugin", "#!/bin/sh\necho 'no network' >&2\nexit 4\n", 0700);
	assert_int_equal(connect_as(s, EXEC, &err), -1);
	assert_non_null(strstr(err.text, "plugin: it failed (exit code 4): no network"));
	assert_int_equal(err.kind, ERROR_DENIED);
	assert_int_equal(connect_as(s,
				    "exec: {command: no-such-plugin, installHint: get it, "
				    "apiVersion: client.authentication.k8s.io/v1}",
				    &err),
			 -1);
	assert_non_null(strstr(err.text, "plugin no-such-plugin can't be run: get it"));
}

#define A(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		A(test_auth__token_file_is_read_again_after_a_401),
		A(test_auth__old_token_file_is_read_again),
		A(test_auth__second_401_is_the_answer),
		A(test_auth__impersonation_goes_with_every_request),
		A(test_auth__plugin_is_run_at_first_and_after_a_401),
		A(test_auth__plugin_is_run_again_when_its_token_expires),
		A(test_auth__plugin_that_fails_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

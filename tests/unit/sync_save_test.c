/* sync/state_save.c on the fault server: what stands there afterwards is what was to be kept.
 */
#include "test.h"

#include "../faults/apiserver.h"
#include "base/mem.h"
#include "sync/state.h"

#define SLOW   5000
#define API    "modelsync.dev/v1alpha1"
#define COMMIT "0123456789012345678901234567890123456789"

struct saving {
	struct loop *loop;
	struct apiserver *server;
	struct kube *kube;
	struct state state;
	struct state_saver *saver;
	bool done;
	struct error err;
};

static void on_saved(void *arg, const struct error *err)
{
	struct saving *s = arg;

	s->done = true;
	s->err = err ? *err : (struct error)ERROR_INIT;
}

static int setup(void **state)
{
	struct saving *s = mem_alloc(sizeof *s);
	struct error err;

	assert_int_equal(loop_new(&s->loop, &err), 0);
	s->server = apiserver_new(s->loop);
	apiserver_add_kind(s->server, "modelsync.dev", "v1alpha1", "SyncState", "syncstates",
			   true, false);
	s->kube = apiserver_client(s->server);
	state_init(&s->state, "team/web");
	s->saver = state_saver_new(s->kube, "default", &s->state, on_saved, s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct saving *s = *state;

	state_saver_free(s->saver);
	state_clear(&s->state);
	kube_free(s->kube);
	apiserver_free(s->server);
	loop_free(s->loop);
	free(s);
	return 0;
}

static void save(struct saving *s)
{
	s->done = false;
	state_save(s->saver);
	assert_true(apiserver_run_until(s->server, &s->done, SLOW));
}

static const struct value *stored(struct saving *s, const char *name)
{
	return apiserver_get(s->server, API, "SyncState", "default", name);
}

static const char *entry(struct saving *s, const char *name, const char *key)
{
	return value_str(value_at(stored(s, name), "entries", key, NULL));
}

/* All that is stored, read as after a restart. */
static void read_back(struct saving *s, struct state *out)
{
	static const char *const names[] = {"team.web", "inventory-1.team.web",
					    "inventory-2.team.web"};
	struct error err = ERROR_INIT;

	state_init(out, "team/web");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (stored(s, names[i]))
			assert_int_equal(state_read(out, stored(s, names[i]), &err), 0);
}

static void test_save__creates_then_patches_only_what_differs(void **state)
{
	struct saving *s = *state;

	state_id(s->state.last_trusted, COMMIT, &s->state.dirty);
	state_entry(&s->state, "ConfigMap|t|a");
	save(s);
	assert_int_equal(s->err.kind, ERROR_NONE);
	assert_false(state_unsaved(&s->state));
	assert_string_equal(value_get_str(stored(s, "team.web"), "lastTrusted"), COMMIT);
	assert_string_equal(entry(s, "inventory-1.team.web", "ConfigMap|t|a"), "- - -");
	apiserver_forget(s->server);
	save(s); /* nothing to say */
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 0);
	state_entry(&s->state, "ConfigMap|t|b");
	save(s);
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 1);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", "inventory-1.team.web"), 1);
	assert_null(strstr(apiserver_seen(s->server, "PATCH", NULL)->body, "ConfigMap|t|a"));
}

static void test_save__removed_entries_go_and_come_back(void **state)
{
	struct saving *s = *state;

	state_entry(&s->state, "ConfigMap|t|a");
	state_entry(&s->state, "ConfigMap|t|b");
	save(s);
	state_forget(&s->state, "ConfigMap|t|a");
	save(s);
	assert_null(entry(s, "inventory-1.team.web", "ConfigMap|t|a"));
	assert_non_null(entry(s, "inventory-1.team.web", "ConfigMap|t|b"));
	state_forget(&s->state, "ConfigMap|t|b");
	state_entry(&s->state, "ConfigMap|t|b"); /* before the save */
	save(s);
	assert_non_null(entry(s, "inventory-1.team.web", "ConfigMap|t|b"));
}

static void test_save__an_entry_that_moved_is_in_one_piece_only(void **state)
{
	struct saving *s = *state;
	struct state back;
	char key[64];

	for (int i = 0; i < STATE_PIECE_MAX + 1; i++) {
		snprintf(key, sizeof key, "ConfigMap|t|%d", i);
		state_entry(&s->state, key);
	}
	save(s);
	assert_non_null(entry(s, "inventory-2.team.web", "ConfigMap|t|2000"));
	state_forget(&s->state, "ConfigMap|t|7");
	state_forget(&s->state, "ConfigMap|t|2000");
	state_entry(&s->state, "ConfigMap|t|2000"); /* fills the hole in piece 1 */
	save(s);
	assert_null(entry(s, "inventory-2.team.web", "ConfigMap|t|2000"));
	assert_non_null(entry(s, "inventory-1.team.web", "ConfigMap|t|2000"));
	read_back(s, &back);
	assert_int_equal(inventory_count(&back.inventory), STATE_PIECE_MAX);
	state_clear(&back);
}

static void test_save__removal_outlives_a_failed_save(void **state)
{
	struct saving *s = *state;
	const struct fault down = {
		.kind = FAULT_STATUS, .method = "PATCH", .times = 1, .status = 500};

	state_entry(&s->state, "ConfigMap|t|a");
	state_entry(&s->state, "ConfigMap|t|b");
	save(s);
	state_forget(&s->state, "ConfigMap|t|a");
	apiserver_fault(s->server, &down);
	save(s); /* tells only once it is written */
	assert_int_equal(s->err.kind, ERROR_NONE);
	assert_null(entry(s, "inventory-1.team.web", "ConfigMap|t|a"));
	assert_non_null(entry(s, "inventory-1.team.web", "ConfigMap|t|b"));
}

static void test_save__a_deleted_state_is_written_whole_again(void **state)
{
	struct saving *s = *state;
	struct state back;

	state_id(s->state.last_trusted, COMMIT, &s->state.dirty);
	state_entry(&s->state, "ConfigMap|t|a");
	save(s);
	assert_true(apiserver_delete(s->server, API, "SyncState", "default",
				     "inventory-1.team.web"));
	assert_true(apiserver_delete(s->server, API, "SyncState", "default", "team.web"));
	state_entry(&s->state, "ConfigMap|t|b");
	state_id(s->state.applied, COMMIT, &s->state.dirty);
	save(s);
	assert_int_equal(s->err.kind, ERROR_NONE);
	read_back(s, &back);
	assert_int_equal(inventory_count(&back.inventory), 2);
	assert_string_equal(back.last_trusted, COMMIT);
	assert_string_equal(back.applied, COMMIT);
	state_clear(&back);
}

static void test_save__refused_is_told(void **state)
{
	struct saving *s = *state;
	const struct fault no = {.kind = FAULT_STATUS, .method = "POST", .status = 403};

	apiserver_fault(s->server, &no);
	s->state.dirty = true;
	save(s);
	assert_int_equal(s->err.kind, ERROR_DENIED);
	assert_non_null(strstr(s->err.text, "saving the state of team/web"));
	assert_true(state_unsaved(&s->state));
}

static void test_save__two_applications_never_share_an_object(void **state)
{
	struct saving *s = *state;
	struct saving other = *s;

	/* Once, the second object of "web" was called as the first of "web-1". */
	state_init(&other.state, "team/web-1");
	other.saver = state_saver_new(s->kube, "default", &other.state, on_saved, &other);
	state_entry(&s->state, "ConfigMap|t|a");
	state_entry(&other.state, "ConfigMap|t|x");
	save(s);
	save(&other);
	assert_string_equal(value_get_str(stored(s, "team.web"), "application"), "team/web");
	assert_string_equal(value_get_str(stored(s, "inventory-1.team.web"), "application"),
			    "team/web");
	assert_string_equal(value_get_str(stored(s, "team.web-1"), "application"),
			    "team/web-1");
	assert_null(entry(s, "inventory-1.team.web", "ConfigMap|t|x"));
	state_saver_free(other.saver);
	state_clear(&other.state);
}

static void test_save__let_go_in_the_middle_all_counts_as_unsaved(void **state)
{
	struct saving *s = *state;
	const struct fault stall = {.kind = FAULT_STALL, .method = "POST"};

	apiserver_fault(s->server, &stall);
	state_entry(&s->state, "ConfigMap|t|a");
	state_save(s->saver);
	loop_run_for(s->loop, 50);
	state_saver_free(s->saver);
	s->saver = NULL;
	assert_true(s->state.dirty);
	assert_true(inventory_get(&s->state.inventory, "ConfigMap|t|a")->dirty);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_save__creates_then_patches_only_what_differs),
		TEST(test_save__removed_entries_go_and_come_back),
		TEST(test_save__an_entry_that_moved_is_in_one_piece_only),
		TEST(test_save__removal_outlives_a_failed_save),
		TEST(test_save__a_deleted_state_is_written_whole_again),
		TEST(test_save__refused_is_told),
		TEST(test_save__two_applications_never_share_an_object),
		TEST(test_save__let_go_in_the_middle_all_counts_as_unsaved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

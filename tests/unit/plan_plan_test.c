/* plan_plan_test.c - each decision with its reason, order, guards. */
#include "plan_fake.h"

#define CM "ConfigMap|shop|a"

static void assert_plan(struct world *w, const char *wanted)
{
	AUTO(buf) seen = BUF_INIT;
	struct error err = ERROR_INIT;
	struct plan *p = NULL;

	if (plan_make(&w->desired, &w->live, &w->inventory, &w->options, &p, &err) < 0)
		buf_printf(&seen, "refused %s: %s\n", error_code(&err), err.text);
	else
		put_plan(p, &seen);
	assert_string_equal(seen.ptr, wanted);
	plan_free(p);
	world_free(w);
}

/* ---- What Git wants: one row a decision ---- */

static void set_other_uid(struct live_object *o)
{
	o->uid = "u2";
}
static void set_no_hash(struct live_object *o)
{
	o->has_hash = false;
}
static void set_other_own(struct live_object *o)
{
	o->own = 7;
}
static void set_deleting(struct live_object *o)
{
	o->deleting = true;
	o->own = 7;
}
static void set_no_label(struct live_object *o)
{
	o->part_of = "";
}
static void set_foreign(struct live_object *o)
{
	o->foreign_owner = true;
}
static void set_others(struct live_object *o)
{
	o->part_of = OTHERS;
}

static const struct {
	const char *name;
	int git, cluster,
		record; /* contents; -1: absent; record -2: written before its creation */
	void (*change)(struct live_object *o);
	const char *wanted;
} rows[] = {
	{"new", 1, -1, -1, NULL, "create " CM ": new in Git\n0 unchanged\n"},
	{"about to be created when we died", 1, -1, -2, NULL,
	 "create " CM ": new in Git\n0 unchanged\n"},
	{"deleted", 1, -1, 1, NULL,
	 "repair " CM " uid u1 known: deleted from the cluster\n0 unchanged\n"},
	{"deleted, and changed in Git", 2, -1, 1, NULL,
	 "create " CM
	 " uid u1 known: changed in Git, and gone from the cluster\n0 unchanged\n"},
	{"as it should be", 1, 1, 1, NULL, "1 unchanged\n"},
	{"changed in Git", 2, 1, 1, NULL,
	 "update " CM " uid u1 labelled known: changed in Git\n0 unchanged\n"},
	{"changed in Git and recreated", 2, 1, 1, set_other_uid,
	 "update " CM " uid u2 labelled: changed in Git\n0 unchanged\n"},
	{"written, then we died", 2, 2, 1, NULL,
	 "update " CM " uid u1 labelled known: applied, but not recorded\n0 unchanged\n"},
	{"created, then we died", 1, 1, -2, NULL,
	 "update " CM " uid u1 labelled: applied, but not recorded\n0 unchanged\n"},
	{"inventory lost", 1, 1, -1, NULL,
	 "update " CM " uid u1 labelled: applied, but not recorded\n0 unchanged\n"},
	{"there, not by us", 1, 1, -1, set_no_hash,
	 "update " CM " uid u1 labelled: changed in Git\n0 unchanged\n"},
	{"there without our label", 1, 1, -1, set_no_label,
	 "update " CM " uid u1: applied, but not recorded\n0 unchanged\n"},
	{"annotation changed", 1, 2, 1, NULL,
	 "repair " CM " uid u1 labelled known: applied annotation changed in the cluster\n"
	 "0 unchanged\n"},
	{"annotation removed", 1, 1, 1, set_no_hash,
	 "repair " CM " uid u1 labelled known: applied annotation changed in the cluster\n"
	 "0 unchanged\n"},
	{"our fields changed", 1, 1, 1, set_other_own,
	 "repair " CM
	 " uid u1 labelled known: our fields changed in the cluster\n0 unchanged\n"},
	{"recreated", 1, 1, 1, set_other_uid,
	 "repair " CM " uid u2 labelled: recreated by somebody else\n0 unchanged\n"},
	{"being deleted: left until it is gone", 1, 1, 1, set_deleting, "1 unchanged\n"},
	{"another application's", 1, 1, -1, set_others,
	 "refused SharedObject: ConfigMap shop/a belongs to another application: its label "
	 "applyset.kubernetes.io/part-of is applyset-others-v1, ours applyset-ours-v1; remove "
	 "it "
	 "from one of the two\n"},

	{"removed from Git", -1, 1, 1, NULL,
	 "prune " CM " uid u1 labelled known: removed from Git\n0 unchanged\n"},
	{"removed from Git, created and not recorded", -1, 1, -2, NULL,
	 "prune " CM " uid u1 labelled: removed from Git\n0 unchanged\n"},
	{"what a crash left", -1, 1, -1, NULL,
	 "prune " CM " uid u1 labelled: removed from Git\n0 unchanged\n"},
	{"our label copied to something else", -1, 1, -1, set_no_hash, "0 unchanged\n"},
	{"no uid known, and no annotation of ours", -1, 1, -2, set_no_hash,
	 "keep " CM " uid u1 labelled: kept: it was recreated by somebody else\n0 unchanged\n"},
	{"removed from Git and recreated by somebody", -1, 1, 1, set_other_uid,
	 "keep " CM " uid u2 labelled: kept: it was recreated by somebody else\n0 unchanged\n"},
	{"another controller owns it", -1, 1, 1, set_foreign,
	 "keep " CM " uid u1 labelled known: kept: another controller owns it\n0 unchanged\n"},
	{"removed and gone", -1, -1, 1, NULL, "forget " CM "\n0 unchanged\n"},
	{"removed and another application's now", -1, 1, 1, set_others,
	 "forget " CM "\n0 unchanged\n"},
	{"removed and going", -1, 1, 1, set_deleting, "0 unchanged\n"},
	{"never ours", -1, 1, -1, set_others, "0 unchanged\n"},
};

static void test_plan__table(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = world_new();

		print_message("  %s\n", rows[i].name);
		w.options.allow_empty = true;
		if (rows[i].git >= 0)
			want(&w, CM, rows[i].git);
		if (rows[i].cluster >= 0) {
			struct live_object *o = have(&w, CM, rows[i].cluster, "u1");
			if (rows[i].change)
				rows[i].change(o);
		}
		if (rows[i].record == -2)
			recorded(&w, CM, -1, "");
		else if (rows[i].record >= 0)
			recorded(&w, CM, rows[i].record, "u1");
		assert_plan(&w, rows[i].wanted);
	}
}

static void test_plan__a_kind_the_server_lacks_waits(void **state)
{
	struct world w = world_new();

	want(&w, "Widget.example.com|shop|w", 1);
	want(&w, CM, 1);
	assert_plan(&w,
		    "create " CM ": new in Git\n"
		    "wait Widget.example.com|shop|w unknown: the API server has no Widget in "
		    "example.com/v1 (yet)\n0 unchanged\n");
}

static void test_plan__order(void **state)
{
	struct world w = world_new();

	want(&w, "Deployment.apps|shop|b", 1);
	want(&w, "Deployment.apps|shop|a", 1);
	want(&w, "ConfigMap|shop|late", 1)->wave = 1;
	want(&w, "ConfigMap|shop|early", 1)->wave = -1;
	want(&w, "Service|shop|s", 1);
	want(&w, "Namespace||shop", 1);
	have(&w, "ConfigMap|shop|old", 1, "u1");
	have(&w, "Deployment.apps|shop|old", 1, "u2");
	have(&w, "Deployment.apps|shop|old2", 1, "u3");
	have(&w, "Service|shop|old", 1, "u4");
	assert_plan(&w, "create ConfigMap|shop|early: new in Git\n"
			"create Namespace||shop: new in Git\n"
			"create Service|shop|s: new in Git\n"
			"create Deployment.apps|shop|a: new in Git\n"
			"create Deployment.apps|shop|b: new in Git\n"
			"create ConfigMap|shop|late: new in Git\n"
			"prune Deployment.apps|shop|old2 uid u3 labelled: removed from Git\n"
			"prune Deployment.apps|shop|old uid u2 labelled: removed from Git\n"
			"prune Service|shop|old uid u4 labelled: removed from Git\n"
			"prune ConfigMap|shop|old uid u1 labelled: removed from Git\n"
			"0 unchanged\n");
}

static void test_plan__kinds_that_hold_others_are_kept(void **state)
{
	static const char *const keys[] = {
		"Namespace||shop", "PersistentVolume||v", "PersistentVolumeClaim|shop|c",
		"CustomResourceDefinition.apiextensions.k8s.io||widgets.example.com"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct world w = world_new();
		struct plan *p = NULL;
		struct error err = ERROR_INIT;

		have(&w, keys[i], 1, "u1");
		recorded(&w, keys[i], 1, "u1");
		assert_int_equal(
			plan_make(&w.desired, &w.live, &w.inventory, &w.options, &p, &err), 0);
		assert_int_equal(plan_count_of(p, CHANGE_KEEP), 1);
		assert_non_null(strstr(plan_at(p, 0)->why, "never pruned"));
		assert_true(plan_empty(p));
		plan_free(p);
		world_free(&w);
	}
}

static void test_plan__prune_off_keeps(void **state)
{
	struct world w = world_new();

	w.options.prune = false;
	have(&w, CM, 1, "u1");
	recorded(&w, CM, 1, "u1");
	assert_plan(&w,
		    "keep " CM " uid u1 labelled known: kept: pruning is off\n0 unchanged\n");
}

static void test_plan__stale_discovery_forgets_nothing(void **state)
{
	struct world w = world_new();

	w.options.discovery_stale = true;
	recorded(&w, CM, 1, "u1");
	assert_plan(&w, "0 unchanged\n");
}

static void test_plan__jobs_run_once(void **state)
{
	static const char job[] = "Job.batch|shop|j";
	struct world w = world_new();

	want(&w, job, 1); /* gone after it ran */
	recorded(&w, job, 1, "u1");
	assert_plan(&w, "1 unchanged\n");

	w = world_new(); /* ran, and somebody touched it */
	want(&w, job, 1);
	recorded(&w, job, 1, "u1");
	set_other_own(have(&w, job, 1, "u1"));
	assert_plan(&w, "1 unchanged\n");

	w = world_new(); /* still runs */
	want(&w, job, 1);
	recorded(&w, job, 1, "u1");
	have(&w, job, 1, "u1")->health = HEALTH_PROGRESSING;
	set_other_own((struct live_object *)live_get(&w.live, job));
	assert_plan(&w,
		    "repair Job.batch|shop|j uid u1 labelled known: our fields changed in the "
		    "cluster\n0 unchanged\n");

	w = world_new(); /* gone, and another one is wanted */
	want(&w, job, 2);
	recorded(&w, job, 1, "u1");
	assert_plan(&w,
		    "create Job.batch|shop|j uid u1 known: changed in Git, and gone from the "
		    "cluster\n0 unchanged\n");
}

/* ---- Guards ---- */

static struct world world_of(int kept, int removed)
{
	struct world w = world_new();

	for (int i = 0; i < kept + removed; i++) {
		AUTO_FREE char *key = mem_printf("ConfigMap|shop|n%02d", i);
		have(&w, key, 1, "u");
		recorded(&w, key, 1, "u");
		if (i < kept)
			want(&w, key, 1);
	}
	return w;
}

static void test_guard__table(void **state)
{
	static const struct {
		const char *name;
		int kept, removed, limit;
		bool allow_empty, prune_off;
		const char *refusal; /* NULL: goes */
	} table[] = {
		{"half of ten", 5, 5, -1, false, false, NULL},
		{"more than half of ten", 4, 6, -1, false, false,
		 "6 of 10 objects would be pruned, at most 5 (half); raise pruneLimit if that "
		 "is meant"},
		{"more than half of nine", 1, 8, -1, false, false, NULL},
		{"a limit met", 18, 2, 2, false, false, NULL},
		{"a limit passed", 17, 3, 2, false, false,
		 "3 of 20 objects would be pruned, at most 2; raise pruneLimit if that is "
		 "meant"},
		{"a limit raised", 1, 19, 19, false, false, NULL},
		{"nothing may be pruned", 1, 1, 0, false, false,
		 "1 of 2 objects would be pruned, at most 0; raise pruneLimit if that is "
		 "meant"},
		{"empty", 0, 3, -1, false, false,
		 "the path holds no object, and all 3 in the cluster would be pruned; set "
		 "syncPolicy.automated.allowEmpty if that is meant"},
		{"empty, allowed", 0, 3, -1, true, false, NULL},
		{"empty, allowed, and too many", 0, 10, -1, true, false,
		 "10 of 10 objects would be pruned, at most 5 (half); raise pruneLimit if that "
		 "is "
		 "meant"},
		{"empty, pruning off", 0, 20, -1, false, true, NULL},
		{"empty and always was", 0, 0, -1, false, false, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world w = world_of(table[i].kept, table[i].removed);
		struct error err = ERROR_INIT;
		struct plan *p = NULL;
		int rc;

		w.options.prune_limit = table[i].limit;
		w.options.allow_empty = table[i].allow_empty;
		w.options.prune = !table[i].prune_off;
		rc = plan_make(&w.desired, &w.live, &w.inventory, &w.options, &p, &err);
		assert_row_text(rc < 0 ? err.text : NULL, table[i].refusal, table[i].name);
		assert_row(rc == 0 || err.kind == ERROR_REFUSED, table[i].name);
		assert_row((rc == 0) == (p != NULL), table[i].name);
		if (table[i].refusal)
			assert_string_equal(error_code(&err),
					    strstr(table[i].refusal, "allowEmpty")
						    ? "EmptySource"
						    : "PruneLimit");
		plan_free(p);
		world_free(&w);
	}
}

static void test_guard__shared_objects_are_counted(void **state)
{
	struct world w = world_new();

	for (int i = 0; i < 3; i++) {
		AUTO_FREE char *key = mem_printf("ConfigMap|shop|n%d", i);
		want(&w, key, 1);
		have(&w, key, 1, "u")->part_of = OTHERS;
	}
	assert_plan(
		&w,
		"refused SharedObject: ConfigMap shop/n0 (and 2 more) belongs to another "
		"application: its label applyset.kubernetes.io/part-of is applyset-others-v1, "
		"ours applyset-ours-v1; remove it from one of the two\n");
}

/* ---- One key ---- */

static void assert_repair(struct world *w, const char *key, const char *wanted)
{
	AUTO(buf) seen = BUF_INIT;
	struct error err = ERROR_INIT;
	struct plan *p = (struct plan *)w;

	assert_int_equal(
		plan_repair(&w->desired, &w->live, &w->inventory, &w->options, key, &p, &err),
		0);
	if (p)
		put_plan(p, &seen);
	assert_string_equal(seen.ptr, wanted);
	plan_free(p);
}

static void test_repair__one_key(void **state)
{
	struct world w = world_new();

	want(&w, "ConfigMap|shop|fine", 1);
	have(&w, "ConfigMap|shop|fine", 1, "u1");
	recorded(&w, "ConfigMap|shop|fine", 1, "u1");
	want(&w, "ConfigMap|shop|gone", 1);
	recorded(&w, "ConfigMap|shop|gone", 1, "u2");
	want(&w, "ConfigMap|shop|taken", 1);
	have(&w, "ConfigMap|shop|taken", 1, "u3")->part_of = OTHERS;
	have(&w, "ConfigMap|shop|removed", 1, "u4");
	recorded(&w, "ConfigMap|shop|removed", 1, "u4");
	assert_repair(&w, "ConfigMap|shop|fine", "");
	assert_repair(&w, "ConfigMap|shop|gone",
		      "repair ConfigMap|shop|gone uid u2 known: deleted from the cluster\n"
		      "0 unchanged\n");
	assert_repair(
		&w, "ConfigMap|shop|taken",
		"refuse ConfigMap|shop|taken: belongs to another application\n0 unchanged\n");
	assert_repair(&w, "ConfigMap|shop|removed", ""); /* self-heal prunes nothing */
	assert_repair(&w, "ConfigMap|shop|never", "");
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan__table),
		cmocka_unit_test(test_plan__a_kind_the_server_lacks_waits),
		cmocka_unit_test(test_plan__order),
		cmocka_unit_test(test_plan__kinds_that_hold_others_are_kept),
		cmocka_unit_test(test_plan__prune_off_keeps),
		cmocka_unit_test(test_plan__stale_discovery_forgets_nothing),
		cmocka_unit_test(test_plan__jobs_run_once),
		cmocka_unit_test(test_guard__table),
		cmocka_unit_test(test_guard__shared_objects_are_counted),
		cmocka_unit_test(test_repair__one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* apply/pace.c: how the number of requests in flight grows and shrinks. */
#include "test.h"

#include "apply/apply_int.h"

/* Send a full window, answer all of it. */
static void round_trip(struct pace *p, bool busy)
{
	uint64_t rounds[64];
	int n = 0;

	while (pace_free(p))
		rounds[n++] = pace_sent(p);
	for (int i = 0; i < n; i++)
		pace_answered(p, rounds[i], busy);
}

static void test_pace__starts_small_and_grows_to_its_maximum(void **state)
{
	struct pace p;

	pace_init(&p, 0);
	assert_int_equal(p.window, 8);
	round_trip(&p, false);
	assert_int_equal(p.window, 16);
	for (int i = 0; i < 5; i++)
		round_trip(&p, false);
	assert_int_equal(p.window, 32);
	assert_int_equal(p.in_flight, 0);
}

static void test_pace__maximum_below_the_start_is_kept(void **state)
{
	struct pace p;

	pace_init(&p, 3);
	assert_int_equal(p.window, 3);
	round_trip(&p, false);
	assert_int_equal(p.window, 3);
}

static void test_pace__busy_halves_once_a_round_and_never_below_one(void **state)
{
	static const int windows[] = {4, 2, 1, 1};
	struct pace p;

	pace_init(&p, 0);
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		round_trip(&p, true);
		assert_int_equal(p.window, windows[i]);
	}
}

static void test_pace__after_busy_it_grows_by_one_a_window(void **state)
{
	struct pace p;

	pace_init(&p, 0);
	round_trip(&p, true);
	for (int i = 5; i < 9; i++) {
		round_trip(&p, false);
		assert_int_equal(p.window, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace__starts_small_and_grows_to_its_maximum),
		cmocka_unit_test(test_pace__maximum_below_the_start_is_kept),
		cmocka_unit_test(test_pace__busy_halves_once_a_round_and_never_below_one),
		cmocka_unit_test(test_pace__after_busy_it_grows_by_one_a_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

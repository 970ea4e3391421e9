/* base/map.c: against a plain array that does the same. */
#include "test.h"

#include "base/map.h"
#include "base/mem.h"

#define NAMES 500

static void test_map__put_get_remove(void **state)
{
	AUTO(map) m = MAP_INIT;
	int one = 1, two = 2;

	assert_null(map_get(&m, "a"));
	assert_null(map_remove(&m, "a"));
	assert_null(map_put(&m, "a", &one));
	assert_ptr_equal(map_get(&m, "a"), &one);
	assert_null(map_get(&m, ""));
	assert_ptr_equal(map_put(&m, "a", &two), &one);
	assert_int_equal(m.len, 1);
	assert_ptr_equal(map_remove(&m, "a"), &two);
	assert_null(map_get(&m, "a"));
	assert_int_equal(m.len, 0);
	assert_null(map_put(&m, "", &one));
	assert_ptr_equal(map_get(&m, ""), &one);
	map_put(&m, "b", &two);
	assert_ptr_equal(map_remove(&m, ""), &one); /* what is left of it is no key */
	assert_null(map_remove(&m, ""));
	assert_null(map_put(&m, "", &two));
	assert_int_equal(m.len, 2);
}

static void test_map__keys_are_copied(void **state)
{
	AUTO(map) m = MAP_INIT;
	char key[] = "name";
	int v;

	map_put(&m, key, &v);
	key[0] = 'x';
	assert_ptr_equal(map_get(&m, "name"), &v);
	assert_null(map_get(&m, "xame"));
}

/* A hundred thousand seeded operations; after each the map says what the array says. */
static void test_map__agrees_with_an_array(void **state)
{
	AUTO(map) m = MAP_INIT;
	int values[NAMES], *model[NAMES] = {0};
	unsigned seed = 42;
	size_t len = 0;

	for (int step = 0; step < 100000; step++) {
		seed = seed * 1103515245 + 12345;
		unsigned i = (seed >> 16) % NAMES;
		char name[16];
		snprintf(name, sizeof name, "k%u", i);
		if ((seed >> 8) % 2) {
			assert_ptr_equal(map_put(&m, name, &values[i]), model[i]);
			len += !model[i];
			model[i] = &values[i];
		} else {
			assert_ptr_equal(map_remove(&m, name), model[i]);
			len -= !!model[i];
			model[i] = NULL;
		}
		assert_int_equal(m.len, len);
		assert_ptr_equal(map_get(&m, name), model[i]);
	}
	assert_true(m.cap <= 2048); /* removed ones don't make it grow for ever */
	struct map_entry *e;
	size_t seen = 0;
	for (size_t i = 0; (e = map_next(&m, &i)); seen++)
		assert_ptr_equal(e->value, model[atoi(e->key + 1)]);
	assert_int_equal(seen, len);
}

static void test_map__next_of_an_empty_map_ends_at_once(void **state)
{
	AUTO(map) m = MAP_INIT;
	size_t i = 0;

	assert_null(map_next(&m, &i));
	map_put(&m, "x", &i);
	map_remove(&m, "x");
	i = 0;
	assert_null(map_next(&m, &i));
}

static void test_map__clear_leaves_an_empty_map(void **state)
{
	struct map m = MAP_INIT;
	int v;

	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i);
		map_put(&m, name, &v);
	}
	map_remove(&m, "7");
	map_clear(&m);
	assert_int_equal(m.len, 0);
	assert_null(map_get(&m, "8"));
	map_put(&m, "8", &v);
	assert_ptr_equal(map_get(&m, "8"), &v);
	map_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map__put_get_remove),
		cmocka_unit_test(test_map__keys_are_copied),
		cmocka_unit_test(test_map__agrees_with_an_array),
		cmocka_unit_test(test_map__next_of_an_empty_map_ends_at_once),
		cmocka_unit_test(test_map__clear_leaves_an_empty_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

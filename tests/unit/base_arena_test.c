/* base/arena.c: alignment, zeroes, blocks of all sizes. */
#include "test.h"

#include <stdalign.h>

#include "base/arena.h"
#include "base/mem.h"

static void test_arena__memory_is_zeroed_aligned_and_apart(void **state)
{
	AUTO_ARENA a = arena_new();
	unsigned char *seen[2000];
	size_t sizes[2000];

	for (size_t i = 0; i < 2000; i++) { /* small, large, beyond a block, odd */
		sizes[i] = i % 100 == 99 ? 100000 + i : i % 10 == 9 ? 3000 + i : i % 7;
		if (i % 3 == 0)
			arena_strndup(a, "xyz", i % 4); /* spoils the alignment */
		seen[i] = arena_alloc(a, sizes[i]);
		assert_int_equal((uintptr_t)seen[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(seen[i][k], 0);
		memset(seen[i], (int)(i % 251), sizes[i]);
	}
	for (size_t i = 0; i < 2000; i++) /* nobody wrote into somebody else's */
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(seen[i][k], i % 251);
}

static void test_arena__strings_are_copies(void **state)
{
	AUTO_ARENA a = arena_new();
	char text[] = "hello";
	char *whole = arena_strdup(a, text), *part = arena_strndup(a, text, 2);
	char *empty = arena_strndup(a, "x", 0);

	memset(text, 'x', 5);
	assert_string_equal(whole, "hello");
	assert_string_equal(part, "he");
	assert_string_equal(empty, "");
	assert_null(arena_strdup(a, NULL));
	assert_string_equal(arena_printf(a, "%s-%d", "a", 5), "a-5");
	char *big = test_repeat("0123456789", 10000);
	assert_string_equal(arena_printf(a, "%s", big), big);
	free(big);
}

static void test_arena__bytes_count_what_it_holds(void **state)
{
	AUTO_ARENA a = arena_new();

	assert_int_equal(arena_bytes(a), 0);
	for (int i = 0; i < 10000; i++)
		arena_alloc(a, 64);
	assert_true(arena_bytes(a) >= 640000);
	assert_true(arena_bytes(a) < 640000 + 2 * 65536);
	size_t before = arena_bytes(a);
	arena_alloc(a, 1000000);
	assert_true(arena_bytes(a) >= before + 1000000);
	assert_true(arena_bytes(a) <= before + 1000000 + 65536);
}

static void test_arena__a_big_one_does_not_waste_the_block_in_use(void **state)
{
	AUTO_ARENA a = arena_new();
	char *first = arena_alloc(a, 16);

	arena_alloc(a, 100000);
	char *second = arena_alloc(a, 16);
	assert_ptr_equal(second, first + 16);
}

static void test_arena__free_of_null_is_fine(void **state)
{
	AUTO_ARENA none = NULL;

	arena_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena__memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(test_arena__strings_are_copies),
		cmocka_unit_test(test_arena__bytes_count_what_it_holds),
		cmocka_unit_test(test_arena__a_big_one_does_not_waste_the_block_in_use),
		cmocka_unit_test(test_arena__free_of_null_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The record of an Application: what is read back is what was kept, and only what differs
 * counts. */
#include "test.h"

#include "sync/state.h"
#include "sync/sync.h"
#include "value/json.h"

static const char stored[] =
	"{\"application\":\"team/web\",\"piece\":0,\"source\":\"https://git/x\","
	"\"lastTrusted\":\"0123456789012345678901234567890123456789\","
	"\"applied\":\"0123456789012345678901234567890123456780\","
	"\"failed\":{\"commit\":\"0123456789012345678901234567890123456789\",\"reason\":"
	"\"Rejected\","
	"\"message\":\"no\"},"
	"\"firstSeen\":{\"commit\":\"0123456789012345678901234567890123456789\",\"at\":"
	"\"2026-01-31T12:00:00.250000Z\"},"
	"\"history\":[{\"revision\":\"0123456789012345678901234567890123456780\",\"signer\":"
	"\"a@b\","
	"\"subject\":\"s\",\"deployedAt\":\"2026-01-31T12:00:00Z\",\"tookMs\":7,\"created\":1,"
	"\"updated\":2,\"repaired\":3,\"pruned\":4}],"
	"\"entries\":{\"ConfigMap|t|a\":\"b786f272-e067-460d-8e87-adfd991e1b83 "
	"b19491c7f763750e07d5274f68680a2c 848f19da6cf4cf68\",\"ConfigMap|t|b\":\"- - -\"}}";

static void read_text(struct state *s, const char *text, int wanted)
{
	struct arena *a = arena_new();
	struct value *v;
	struct error err = ERROR_INIT;

	assert_int_equal(value_json_parse(a, text, strlen(text), &value_limits_api, &v, &err),
			 0);
	assert_int_equal(state_read(s, v, &err), wanted);
	arena_free(a);
}

static void test_state__what_was_stored_is_read(void **test)
{
	struct state s;

	(void)test;
	state_init(&s, "team/web");
	read_text(&s, stored, 0);
	assert_string_equal(s.source, "https://git/x");
	assert_string_equal(s.last_trusted, "0123456789012345678901234567890123456789");
	assert_string_equal(s.applied, "0123456789012345678901234567890123456780");
	assert_string_equal(s.failed_reason, "Rejected");
	assert_int_equal(s.first_seen_ms, 1769860800250);
	assert_int_equal(s.history.len, 1);
	assert_int_equal(s.history.items[0].took_ms, 7);
	assert_int_equal(s.history.items[0].pruned, 4);
	assert_int_equal(inventory_count(&s.inventory), 2);
	struct inventory_entry *e = inventory_get(&s.inventory, "ConfigMap|t|a");
	assert_string_equal(e->uid, "b786f272-e067-460d-8e87-adfd991e1b83");
	assert_int_equal(e->hash[0], 0xb1);
	assert_true(e->own == 0x848f19da6cf4cf68u);
	assert_string_equal(inventory_get(&s.inventory, "ConfigMap|t|b")->uid, "");
	assert_int_equal(s.pieces, 1);
	assert_false(state_unsaved(&s));
	state_clear(&s);
}

static void test_state__of_another_application_or_garbled_is_refused(void **test)
{
	struct state s;

	(void)test;
	state_init(&s, "team/other");
	read_text(&s, stored, -1);
	read_text(&s, "{}", -1);
	read_text(&s, "{\"application\":\"team/other\",\"piece\":64}", -1);
	read_text(&s, "{\"application\":\"team/other\",\"piece\":-1}", -1);
	read_text(&s, "{\"application\":\"team/other\",\"entries\":{\"a\":\"x\"}}", -1);
	read_text(&s, "{\"application\":\"team/other\",\"entries\":{\"a\":7}}", -1);
	assert_string_equal(s.last_trusted, "");
	state_clear(&s);
}

static void test_state__entries_fill_pieces_and_holes(void **test)
{
	struct state s;
	char key[64];

	(void)test;
	state_init(&s, "team/web");
	for (int i = 0; i < STATE_PIECE_MAX + 1; i++) {
		snprintf(key, sizeof key, "ConfigMap|t|%d", i);
		state_entry(&s, key);
	}
	assert_int_equal(s.piece_len[0], 0);
	assert_int_equal(s.piece_len[1], STATE_PIECE_MAX);
	assert_int_equal(s.piece_len[2], 1);
	assert_int_equal(inventory_get(&s.inventory, "ConfigMap|t|2000")->piece, 2);
	state_forget(&s, "ConfigMap|t|5");
	assert_int_equal(state_entry(&s, "ConfigMap|t|new")->piece, 1);
	assert_int_equal(s.removed.len, 1);
	assert_non_null(map_get(&s.removed, "1 ConfigMap|t|5"));
	assert_true(state_unsaved(&s));
	state_clear(&s);
}

static void test_state__history_is_newest_first_and_bounded(void **test)
{
	struct state s;

	(void)test;
	state_init(&s, "team/web");
	for (int i = 0; i < 5; i++) {
		struct history_entry e = {.signer = "a", .subject = "s", .at_ms = i};
		state_history_add(&s, &e, 3);
	}
	assert_int_equal(s.history.len, 3);
	assert_int_equal(s.history.items[0].at_ms, 4);
	assert_int_equal(s.history.items[2].at_ms, 2);
	assert_true(s.dirty);
	struct history_entry e = {.at_ms = 9};
	state_history_add(&s, &e, 0);
	assert_int_equal(s.history.len, 0);
	state_clear(&s);
}

static void test_state__names_are_unique_and_fit(void **test)
{
	AUTO(buf) a = BUF_INIT;
	AUTO(buf) b = BUF_INIT;
	char app[400];

	(void)test;
	state_name("team/web", &a);
	assert_string_equal(a.ptr, "team.web");
	memset(app, 'n', sizeof app);
	app[60] = '/';
	app[300] = '\0';
	buf_reset(&a);
	state_name(app, &a);
	app[299] = 'm';
	state_name(app, &b);
	assert_in_range(a.len, 200, 240);
	assert_string_not_equal(a.ptr, b.ptr);
}

static void test_part_of__is_the_applyset_id(void **test)
{
	AUTO(buf) out = BUF_INIT;

	(void)test;
	/* printf %s web.team.Application.modelsync.dev | openssl dgst -sha256 -binary | base64
	 */
	application_part_of("team", "web", &out);
	assert_string_equal(out.ptr, "applyset-eXTnXjnwPNcoDRR_r2GmshAnbb9XBARppLS8ZHwLOPA-v1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state__what_was_stored_is_read),
		cmocka_unit_test(test_state__of_another_application_or_garbled_is_refused),
		cmocka_unit_test(test_state__entries_fill_pieces_and_holes),
		cmocka_unit_test(test_state__history_is_newest_first_and_bounded),
		cmocka_unit_test(test_state__names_are_unique_and_fit),
		cmocka_unit_test(test_part_of__is_the_applyset_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

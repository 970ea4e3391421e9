/*
 * What needs no loop: URLs, Gitea's answers, descriptions, pauses.
 */
#include "test.h"

#include "base/mem.h"
#include "base/text.h"
#include "forge/forge_int.h"

static void test_repo_url__all_shapes(void **state)
{
	static const struct {
		const char *url, *api, *origin, *prefix, *owner, *repo;
		bool nested;
	} rows[] = {
		{"https://f.example/o/r", NULL, "https://f.example", "", "o", "r", false},
		{"https://f.example/o/r.git", NULL, "https://f.example", "", "o", "r", false},
		{"https://f.example:3000/o/r.git/", NULL, "https://f.example:3000", "", "o",
		 "r", false},
		{"https://f.example/git/o/r", NULL, "https://f.example", "/git", "o", "r",
		 false},
		{"https://f.example//a/b/o/r", NULL, "https://f.example", "/a/b", "o", "r",
		 false},
		{"https://me:pass@f.example/o/r", NULL, "https://f.example", "", "o", "r",
		 false},
		{"http://[::1]:80/o/r", NULL, "http://[::1]:80", "", "o", "r", false},
		{"ssh://git@f.example:2222/o/r.git", NULL, "https://f.example", "", "o", "r",
		 false},
		{"ssh://git@[::1]:2222/o/r.git", NULL, "https://[::1]", "", "o", "r", false},
		{"git@f.example:o/r.git", NULL, "https://f.example", "", "o", "r", false},
		{"f.example:/o/r", NULL, "https://f.example", "", "o", "r", false},
		{"https://f.example/g/sub/r.git", NULL, "https://f.example", "", "g/sub", "r",
		 true},
		{"https://f.example/x/g/sub/r", "https://f.example/x", "https://f.example",
		 "/x", "g/sub", "r", true},
		{"https://f.example/o/my.git.r-1_x", NULL, "https://f.example", "", "o",
		 "my.git.r-1_x", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct repo_url u = REPO_URL_INIT;
		struct error err = ERROR_INIT;

		if (repo_url_parse(rows[i].url, rows[i].api, rows[i].nested, &u, &err) < 0)
			fail_msg("%s: %s", rows[i].url, err.text);
		assert_row_text(u.origin.ptr, rows[i].origin, rows[i].url);
		assert_row_text(u.prefix.ptr, rows[i].prefix, rows[i].url);
		assert_row_text(u.owner.ptr, rows[i].owner, rows[i].url);
		assert_row_text(u.repo.ptr, rows[i].repo, rows[i].url);
		repo_url_clear(&u);
	}
}

static void test_repo_url__bad_ones_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"/srv/git/o/r",
		"./o/r",
		"file:///srv/o/r",
		"ftp://f.example/o/r",
		"https://",
		"https://f.example",
		"https://f.example/",
		"https://f.example/r",
		"https://f.example/.git",
		"https://f.example/o/.git",
		"https://f.example/o/..",
		"https://f.example/../r",
		"https://f.example/o//r",
		"https://f.example/o/r?x=y",
		"https://f.example/o/r#x",
		"https://f.example/o/r%2e",
		"https://f.example/o/r x",
		"https://f.ex ample/o/r",
		"https://f.example\r\n/o/r",
		"https:///o/r",
		"https://user@/o/r",
		"ssh://git@f.example/a/o/r",
		"git@f.example:r",
		"git@f.example:a/o/r",
		":o/r",
	};
	char *longest = test_repeat("a", 2030);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct repo_url u = REPO_URL_INIT;
		struct error err = ERROR_INIT;

		assert_row(repo_url_parse(rows[i], NULL, false, &u, &err) < 0, rows[i]);
		assert_row_text(err.reason, "ForgeUrl", rows[i]);
		assert_row(u.owner.len == 0, rows[i]);
	}
	for (int extra = 0; extra < 2; extra++) {
		AUTO_FREE char *url =
			mem_printf("https://h/o/%s%.*s", longest, 6 + extra, "rrrrrrr");
		struct repo_url u = REPO_URL_INIT;

		assert_int_equal(strlen(url), 2048 + extra);
		assert_int_equal(repo_url_parse(url, NULL, false, &u, NULL), extra ? -1 : 0);
		repo_url_clear(&u);
	}
	free(longest);
}

static void test_gitea__api_base(void **state)
{
	static const struct {
		const char *repo, *api, *wanted;
	} rows[] = {
		{"https://f.example/o/r", NULL, "https://f.example"},
		{"https://f.example/git/o/r", "", "https://f.example/git"},
		{"git@f.example:o/r", NULL, "https://f.example"},
		{"git@f.example:o/r", "https://web.example:8443/git/",
		 "https://web.example:8443/git"},
		{"git@f.example:o/r", "https://web.example/api/v1", "https://web.example"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) url = BUF_INIT;
		struct forge_options o = {.repo_url = rows[i].repo, .api_url = rows[i].api};

		assert_int_equal(provider_gitea.api_base(&o, &url, NULL), 0);
		assert_row_text(url.ptr, rows[i].wanted, rows[i].repo);
	}
}

static void test_gitea__latest_of_a_context(void **state)
{
	static const struct {
		const char *name, *body, *wanted; /* NULL: none */
		enum commit_state state;
	} rows[] = {
		{"empty", "[]", NULL, 0},
		{"nothing", "", NULL, 0},
		{"no list", "{\"id\":1}", NULL, 0},
		{"one",
		 "[{\"id\":1,\"status\":\"error\",\"context\":\"c\",\"description\":\"d\"}]",
		 "d", COMMIT_ERROR},
		{"highest id wins",
		 "[{\"id\":1,\"status\":\"error\",\"context\":\"c\",\"description\":\"x\"},"
		 "{\"id\":30,\"status\":\"pending\",\"context\":\"c\",\"description\":\"d\"},"
		 "{\"id\":4,\"status\":\"error\",\"context\":\"c\",\"description\":\"x\"}]",
		 "d", COMMIT_PENDING},
		{"another context",
		 "[{\"id\":1,\"status\":\"error\",\"context\":\"C\",\"description\":\"d\"}]",
		 NULL, 0},
		{"case of keys",
		 "[{\"id\":1,\"Status\":\"error\",\"Context\":\"c\",\"description\":\"d\"}]",
		 NULL, 0},
		{"a word that is not ours",
		 "[{\"id\":1,\"status\":\"error\",\"context\":\"c\",\"description\":\"x\"},"
		 "{\"id\":2,\"status\":\"warning\",\"context\":\"c\",\"description\":\"d\"}]",
		 NULL, 0},
		{"odd types",
		 "[1,null,{\"id\":\"1\",\"status\":\"error\",\"context\":\"c\"},"
		 "{\"id\":2,\"status\":7,\"context\":\"c\",\"description\":[]}]",
		 NULL, 0},
		{"trailing bytes",
		 "[{\"id\":1,\"status\":\"error\",\"context\":\"c\",\"description\":\"d\"}]x",
		 NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) text = BUF_INIT;
		enum commit_state s = COMMIT_SUCCESS;
		bool found = provider_gitea.parse(rows[i].body, strlen(rows[i].body), "c", &s,
						  &text);

		assert_row(found == !!rows[i].wanted, rows[i].name);
		if (!found)
			continue;
		assert_row_text(text.ptr, rows[i].wanted, rows[i].name);
		assert_row(s == rows[i].state, rows[i].name);
	}
}

static void test_description__is_cut_by_characters(void **state)
{
	static const struct {
		const char *in, *wanted;
	} rows[] = {
		{"", ""},
		{"  ", ""},
		{" a b ", "a b"},
		{"12345", "12345"},
		{"123456", "1234…"},
		{"ääääää", "ääää…"},
		{"äääää", "äääää"},
		{"123 56", "123…"},
		{"日本語日本語", "日本語日…"},
		{"a\tb\nc", "a?b?c"},
		{"\xff\xfe", "??"},
		{"\xe2\x80\xae"
		 "abc",
		 "?abc"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) out = BUF_INIT;

		description_put(&out, rows[i].in, 5);
		assert_row_text(out.ptr, rows[i].wanted, rows[i].in);
	}
}

static void test_context__long_ones_stay_different(void **state)
{
	char *a = test_repeat("ä", 127), *b = test_repeat("ä", 129), *c = test_repeat("ä", 130);
	AUTO(buf) out_a = BUF_INIT;
	AUTO(buf) out_b = BUF_INIT;
	AUTO(buf) out_c = BUF_INIT;

	context_put(&out_a, a);
	context_put(&out_b, b);
	context_put(&out_c, c);
	assert_string_equal(out_a.ptr, a);
	assert_true(out_b.len <= 255 && out_c.len <= 255);
	assert_int_equal(text_utf8_bad(out_b.ptr, out_b.len), out_b.len);
	assert_string_not_equal(out_b.ptr, out_c.ptr);
	free(a);
	free(b);
	free(c);
}

static void test_pause__grows_and_stays_bounded(void **state)
{
	const struct forge_pauses p = {.first = 1000, .most = 60000, .slow = 600000};
	struct error transient = {.kind = ERROR_TRANSIENT}, denied = {.kind = ERROR_DENIED};

	for (int i = 0; i < 200; i++) {
		int64_t ms = pause_after(&p, &transient, i, -1);
		int64_t base = i < 6 ? 1000 << i : 60000;

		assert_in_range(ms, base / 2, base / 2 + base);
	}
	assert_int_equal(pause_after(&p, &denied, 0, -1), 600000);
	assert_int_equal(pause_after(&p, &transient, 0, 120000), 120000);
	/* a forge can't silence us for good */
	assert_int_equal(pause_after(&p, &transient, 0, INT64_MAX), 3600000);
}

static void test_reply__kinds(void **state)
{
	static const struct {
		int status;
		enum error_kind kind;
		const char *reason;
	} rows[] = {
		{301, ERROR_INVALID, "ForgeRedirect"}, {400, ERROR_INVALID, "ForgeRejected"},
		{401, ERROR_DENIED, "ForgeDenied"},    {403, ERROR_DENIED, "ForgeDenied"},
		{404, ERROR_INVALID, "ForgeNotFound"}, {408, ERROR_TRANSIENT, "ForgeBusy"},
		{422, ERROR_INVALID, "ForgeRejected"}, {429, ERROR_TRANSIENT, "ForgeBusy"},
		{500, ERROR_TRANSIENT, "ForgeFailed"}, {503, ERROR_TRANSIENT, "ForgeFailed"},
		{101, ERROR_TRANSIENT, "ForgeFailed"},
	};
	struct http_reply reply = {.status = 201, .body = BUF_INIT};
	struct error err = ERROR_INIT;

	assert_int_equal(reply_error(&provider_gitea, &reply, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reply.status = rows[i].status;
		assert_int_equal(reply_error(&provider_gitea, &reply, &err), -1);
		assert_row(err.kind == rows[i].kind, rows[i].reason);
		assert_row_text(err.reason, rows[i].reason, rows[i].reason);
	}
	reply.status = 403;
	buf_puts(&reply.body, "{\"message\":\"token\\nhas no scope\"}");
	reply_error(&provider_gitea, &reply, &err);
	assert_string_equal(err.text, "gitea answered 403: token?has no scope; may the token "
				      "write to the repository?");
	buf_clear(&reply.body);
	reply.status = 0;
	assert_int_equal(reply_error(&provider_gitea, &reply, &err), -1);
	assert_int_equal(err.kind, ERROR_TRANSIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repo_url__all_shapes),
		cmocka_unit_test(test_repo_url__bad_ones_are_refused),
		cmocka_unit_test(test_gitea__api_base),
		cmocka_unit_test(test_gitea__latest_of_a_context),
		cmocka_unit_test(test_description__is_cut_by_characters),
		cmocka_unit_test(test_context__long_ones_stay_different),
		cmocka_unit_test(test_pause__grows_and_stays_bounded),
		cmocka_unit_test(test_reply__kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

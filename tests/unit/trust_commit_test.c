/* The strict splitter: what it takes, and every shape that it doesn't. */
#include "test.h"

#include "trust/trust_int.h"

#define TREE   "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
#define PARENT "parent 1111111111111111111111111111111111111111\n"
#define AUTHOR "author A U Thor <a@example.org> 1700000000 +0100\n"
#define COMMIT "committer C O Mitter <c@example.org> 1700000001 -0230\n"
#define SIG    "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n"
#define HEAD   TREE PARENT AUTHOR COMMIT

static const struct {
	const char *name, *raw;
} good[] = {
	{"unsigned", HEAD "\nmessage\n"},
	{"root", TREE AUTHOR COMMIT "\nmessage\n"},
	{"octopus", TREE PARENT PARENT PARENT AUTHOR COMMIT "\nmessage\n"},
	{"signed", HEAD SIG "\nmessage\n"},
	{"no message", HEAD SIG "\n"},
	{"no newline at the end", HEAD SIG "\nmessage"},
	{"signature before encoding", HEAD SIG "encoding ISO-8859-1\n\nm\xe9ssage\n"},
	{"signature after encoding", HEAD "encoding ISO-8859-1\n" SIG "\nmessage\n"},
	{"mergetag", HEAD "mergetag object 1\n type commit\n \n text\n" SIG "\nmessage\n"},
	{"two mergetags", HEAD "mergetag a\n b\nmergetag c\n d\n" SIG "\nmessage\n"},
	{"unknown header", HEAD "HG:extra x\n" SIG "\nmessage\n"},
	{"signature words in the message", HEAD "\ngpgsig x\n\ntree y\n"},
	{"name in Latin-1", TREE "author J\xf6rg <j@x> 1 +0000\n" COMMIT "\nm\n"},
	{"epoch", TREE "author A <a@x> 0 +0000\n" COMMIT "\nm\n"},
};

static const struct {
	const char *name, *raw, *why;
} bad[] = {
	{"empty", "", "begin with"},
	{"no tree", AUTHOR COMMIT "\nm\n", "begin with"},
	{"tree in capitals",
	 "tree 4B825DC642CB6EB9A060E54BF8D69288FBEE4904\n" AUTHOR COMMIT "\nm\n", "begin with"},
	{"SHA-256 tree",
	 "tree 4b825dc642cb6eb9a060e54bf8d69288fbee49044b825dc642cb6eb9a060e54b\n" AUTHOR COMMIT
	 "\nm\n",
	 "SHA-256"},
	{"two trees", TREE TREE AUTHOR COMMIT "\nm\n", "author"},
	{"tree again", HEAD TREE "\nm\n", "\"tree\""},
	{"parent after author", TREE AUTHOR PARENT COMMIT "\nm\n", "committer"},
	{"parent after committer", TREE AUTHOR COMMIT PARENT "\nm\n", "\"parent\""},
	{"short parent", TREE "parent 11\n" AUTHOR COMMIT "\nm\n", "author"},
	{"two authors", TREE AUTHOR AUTHOR COMMIT "\nm\n", "committer"},
	{"author again", HEAD AUTHOR "\nm\n", "\"author\""},
	{"two committers", HEAD COMMIT "\nm\n", "\"committer\""},
	{"no author", TREE COMMIT "\nm\n", "author"},
	{"no committer", TREE AUTHOR "\nm\n", "committer"},
	{"author without e-mail", TREE "author A 1 +0000\n" COMMIT "\nm\n", "author"},
	{"author without name", TREE "author <a@x> 1 +0000\n" COMMIT "\nm\n", "author"},
	{"author with a bracket more", TREE "author A <a<@x> 1 +0000\n" COMMIT "\nm\n",
	 "author"},
	{"no space before the e-mail", TREE "author A<a@x> 1 +0000\n" COMMIT "\nm\n", "author"},
	{"padded time", TREE "author A <a@x> 01 +0000\n" COMMIT "\nm\n", "author"},
	{"negative time", TREE "author A <a@x> -1 +0000\n" COMMIT "\nm\n", "author"},
	{"huge time", TREE AUTHOR "committer A <a@x> 999999999999 +0000\n\nm\n", "committer"},
	{"short zone", TREE "author A <a@x> 1 +000\n" COMMIT "\nm\n", "author"},
	{"bytes after the zone", TREE "author A <a@x> 1 +0000 \n" COMMIT "\nm\n", "author"},
	{"no blank line", HEAD, "blank line"},
	{"header cut short", HEAD "encoding", "blank line"},
	{"stray continuation", HEAD " x\n\nm\n", "stray"},
	{"continued author", TREE AUTHOR " x\n" COMMIT "\nm\n", "committer"},
	{"header without value", HEAD "x\n\nm\n", "without a name"},
	{"header with a control byte", HEAD "x\x01y z\n\nm\n", "without a name"},
	{"two encodings", HEAD "encoding a\nencoding b\n\nm\n", "encoding"},
	{"two signatures", HEAD SIG SIG "\nm\n", "two signature"},
	{"gpgsig-sha256", HEAD "gpgsig-sha256 x\n" SIG "\nm\n", "gpgsig"},
	{"gpgsigfoo", HEAD SIG "gpgsigfoo x\n\nm\n", "gpgsig"},
};

static void test_commit_split__well_formed_is_taken(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct error err = ERROR_INIT;
		struct commit c;

		if (commit_split(good[i].raw, strlen(good[i].raw), &c, &err) < 0)
			fail_msg("%s: %s", good[i].name, err.text);
	}
}

static void test_commit_split__malformed_is_refused_and_says_why(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = ERROR_INIT;
		struct commit c;

		assert_row(commit_split(bad[i].raw, strlen(bad[i].raw), &c, &err) < 0,
			   bad[i].name);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%s: seen \"%s\", wanted \"%s\"", bad[i].name, err.text,
				 bad[i].why);
	}
}

static void test_commit_split__nul_byte_is_refused_wherever_it_is(void **state)
{
	const char raw[] = HEAD SIG "\nmessage\n";

	for (size_t i = 0; i < sizeof raw - 1; i++) {
		struct error err = ERROR_INIT;
		struct commit c;
		char copy[sizeof raw];

		memcpy(copy, raw, sizeof raw);
		copy[i] = '\0';
		assert_int_equal(commit_split(copy, sizeof raw - 1, &c, &err), -1);
		assert_string_equal(err.text, "a NUL byte in it");
	}
}

static void test_commit_split__parts_are_the_bytes_they_stand_for(void **state)
{
	const char raw[] = TREE PARENT
		"parent 2222222222222222222222222222222222222222\n" AUTHOR COMMIT SIG
		"encoding x\n\nmessage\n";
	struct commit c;
	struct object_id id;
	char hex[OBJECT_ID_HEX], subject[16];
	AUTO(buf) payload = BUF_INIT;

	assert_int_equal(commit_split(raw, sizeof raw - 1, &c, NULL), 0);
	assert_string_equal(object_id_hex(&c.tree, hex),
			    "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	assert_int_equal(c.parent_count, 2);
	commit_parent(&c, 1, &id);
	assert_string_equal(object_id_hex(&id, hex),
			    "2222222222222222222222222222222222222222");
	assert_int_equal(c.committed_s, 1700000001);
	assert_int_equal(c.sig_len, strlen(SIG) - strlen("gpgsig ") - 1);
	buf_add(&payload, c.raw, c.sig_from);
	buf_add(&payload, c.raw + c.sig_to, c.len - c.sig_to);
	assert_string_equal(payload.ptr, TREE PARENT
			    "parent 2222222222222222222222222222222222222222\n" AUTHOR COMMIT
			    "encoding x\n\nmessage\n");
	commit_subject(&c, subject, sizeof subject);
	assert_string_equal(subject, "message");
}

static void test_commit_split__parents_and_signature_have_caps(void **state)
{
	static const struct {
		const char *what;
		size_t parents, signature;
		int rc;
	} rows[] = {
		{"most parents", PARENTS_MAX, 10, 0},
		{"one parent too many", PARENTS_MAX + 1, 10, -1},
		{"longest signature", 1, SIGNATURE_MAX, 0},
		{"one byte too long", 1, SIGNATURE_MAX + 1, -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *parents = test_repeat(PARENT, rows[i].parents);
		AUTO_FREE char *sig = test_repeat("x", rows[i].signature);
		AUTO(buf) raw = BUF_INIT;
		struct commit c;

		buf_printf(&raw, TREE "%s" AUTHOR COMMIT "gpgsig %s\n\nm\n", parents, sig);
		assert_row(commit_split(raw.ptr, raw.len, &c, NULL) == rows[i].rc,
			   rows[i].what);
	}
}

static void test_commit_subject__is_made_safe_and_cut_at_a_character(void **state)
{
	const char raw[] = HEAD "\n\n\x1b[31mred\xe2\x80\xae \xc3\xa4\xc3\xa4\nmore\n";
	struct commit c;
	char out[64];

	assert_int_equal(commit_split(raw, sizeof raw - 1, &c, NULL), 0);
	commit_subject(&c, out, sizeof out);
	assert_null(strchr(out, '\x1b'));
	assert_null(strstr(out, "\xe2\x80\xae"));
	assert_non_null(strstr(out, "\xc3\xa4\xc3\xa4"));
	for (size_t size = 2; size < 20; size++) {
		commit_subject(&c, out, size);
		assert_true(strlen(out) < size);
		assert_int_equal(out[0] ? (unsigned char)out[strlen(out) - 1] != 0xc3 : 1, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit_split__well_formed_is_taken),
		cmocka_unit_test(test_commit_split__malformed_is_refused_and_says_why),
		cmocka_unit_test(test_commit_split__nul_byte_is_refused_wherever_it_is),
		cmocka_unit_test(test_commit_split__parts_are_the_bytes_they_stand_for),
		cmocka_unit_test(test_commit_split__parents_and_signature_have_caps),
		cmocka_unit_test(test_commit_subject__is_made_safe_and_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

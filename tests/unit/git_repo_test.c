/* Polling for real: this program is its own child (git-fetch). Remotes are folders, an sshd,
 * and HTTP servers that stall, refuse and redirect. */
#include "test.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "git/git_int.h"
#include "net/child.h"
#include "support/git_fixture.h"

struct poll {
	struct fixture f;
	struct loop *loop;
	struct repo *repo;
	char cache[FIXTURE_PATH], url[2 * FIXTURE_PATH];
	int polls;
	struct error err; /* of the last poll; kind ERROR_NONE: it was good */
};

static int make(void **state)
{
	struct poll *p = mem_alloc(sizeof *p);

	fixture_make(&p->f);
	snprintf(p->cache, sizeof p->cache, "%s/cache", p->f.dir);
	snprintf(p->url, sizeof p->url, "file://%s", p->f.work);
	assert_int_equal(loop_new(&p->loop, NULL), 0);
	*state = p;
	return 0;
}

static int clear(void **state)
{
	struct poll *p = *state;

	repo_free(p->repo);
	loop_free(p->loop);
	fixture_clear(&p->f);
	free(p);
	return 0;
}

static void on_poll(void *arg, struct repo *repo, const struct error *err)
{
	struct poll *p = arg;

	p->polls++;
	p->err = err ? *err : (struct error)ERROR_INIT;
	if (!repo_polling(repo))
		loop_stop(p->loop);
}

static void open_repo(struct poll *p, struct repo_options o)
{
	struct error err = ERROR_INIT;

	repo_free(p->repo);
	p->repo = NULL;
	o.url = o.url ? o.url : p->url;
	o.cache_dir = p->cache;
	o.allow_file = o.allow_http = true;
	if (repo_new(p->loop, &o, on_poll, p, &p->repo, &err) < 0)
		fail_msg("%s", err.text);
}

static void poll_once(struct poll *p)
{
	repo_poll(p->repo);
	assert_true(repo_polling(p->repo));
	loop_run(p->loop);
}

static void poll_good(struct poll *p)
{
	poll_once(p);
	if (p->err.kind)
		fail_msg("%s: %s", error_code(&p->err), p->err.text);
}

static void assert_target(struct poll *p, const char *target, const char *rev)
{
	struct object_id wanted = fixture_id(&p->f, rev);
	struct revision *r;
	struct error err = ERROR_INIT;

	if (repo_revision(p->repo, target, &r, &err) < 0)
		fail_msg("%s: %s", target, err.text);
	assert_row(object_id_eq(revision_commit(r), &wanted), target);
	assert_string_equal(revision_url(r), p->url);
	assert_true(odb_has(revision_odb(r), &wanted));
	revision_free(r);
}

static void assert_no_target(struct poll *p, const char *target, const char *reason)
{
	struct revision *r;
	struct error err = ERROR_INIT;

	assert_int_equal(repo_revision(p->repo, target, &r, &err), -1);
	assert_string_equal(error_code(&err), reason);
}

static void test_poll__branch_tag_head_and_id(void **state)
{
	struct poll *p = *state;
	char hex[OBJECT_ID_HEX];
	struct object_id old = fixture_commit(&p->f, "a");

	fixture_commit(&p->f, "b");
	fixture_sh(&p->f, "git branch feature/x HEAD~1 && git tag -s -m t v1 HEAD~1 && "
			  "git tag light && git tag both HEAD~1 && git branch both");
	open_repo(p, (struct repo_options){0});
	assert_no_target(p, "main", "NotPolled");
	assert_int_equal(repo_last_contact_ms(p->repo), 0);
	object_id_hex(&old, hex);
	const char *const wants[] = {"main",  "HEAD",		"v1",
				     "light", "feature/x",	"both",
				     "none",  "refs/tags/both", hex};

	for (size_t i = 0; i < ARRAY_LEN(wants); i++)
		repo_want(p->repo, wants[i]);
	poll_good(p);
	assert_true(clock_now_ms() - repo_last_contact_ms(p->repo) < 10000);
	assert_target(p, "main", "main");
	assert_target(p, "HEAD", "main");
	assert_target(p, "v1", "main~1");
	assert_target(p, "light", "main");
	assert_target(p, "feature/x", "main~1");
	assert_target(p, "both", "refs/heads/both");
	assert_target(p, "refs/tags/both", "main~1");
	assert_target(p, hex, "main~1");
	assert_no_target(p, "none", "RefMissing");
	assert_no_target(p, "1111111111111111111111111111111111111111", "RefMissing");

	struct revision *r;

	assert_int_equal(repo_revision(p->repo, "v1", &r, NULL), 0);
	assert_non_null(revision_tag(r));
	revision_free(r);
}

static void test_poll__sees_pushes_and_rewrites_and_keeps_what_was(void **state)
{
	struct poll *p = *state;
	struct object_id gone;
	struct revision *r;

	fixture_commit(&p->f, "a");
	open_repo(p, (struct repo_options){0});
	repo_want(p->repo, "main");
	poll_good(p);
	gone = fixture_commit(&p->f, "b");
	poll_good(p);
	assert_target(p, "main", "main");
	fixture_sh(&p->f, "git reset -q --hard HEAD~1 && git commit -q --allow-empty -m other");
	poll_good(p);
	assert_target(p, "main", "main");
	/* what was applied can still be healed, in this process and in the next */
	assert_int_equal(repo_revision_at(p->repo, &gone, &r, NULL), 0);
	revision_free(r);
	open_repo(p, (struct repo_options){0});
	assert_int_equal(repo_revision_at(p->repo, &gone, &r, NULL), 0);
	revision_free(r);
	fixture_sh(&p->f, "git checkout -q --detach && git branch -D main");
	repo_want(p->repo, "main");
	poll_good(p);
	assert_no_target(p, "main", "RefMissing");
}

static void test_poll__branch_gives_way_to_a_folder_of_branches(void **state)
{
	struct poll *p = *state;

	fixture_commit(&p->f, "a");
	fixture_sh(&p->f, "git branch x");
	open_repo(p, (struct repo_options){0});
	repo_want(p->repo, "x");
	repo_want(p->repo, "x/y");
	poll_good(p);
	assert_target(p, "x", "main");
	fixture_sh(&p->f,
		   "git branch -D x && git commit -q --allow-empty -m z && git branch x/y");
	poll_good(p);
	assert_target(p, "x/y", "main");
	poll_good(p);
	assert_no_target(p, "x", "RefMissing");
}

static void test_poll__one_at_a_time_and_one_more(void **state)
{
	struct poll *p = *state;

	fixture_commit(&p->f, "a");
	open_repo(p, (struct repo_options){0});
	repo_want(p->repo, "main");
	repo_want(p->repo, "main");
	repo_unwant(p->repo, "main");
	repo_poll(p->repo);
	repo_poll(p->repo);
	repo_poll(p->repo);
	loop_run(p->loop);
	assert_int_equal(p->polls, 2);
	assert_target(p, "main", "main");
	repo_unwant(p->repo, "main");
	fixture_commit(&p->f, "b");
	poll_good(p);
	assert_no_target(p, "main", "NotPolled"); /* seen, not fetched: nobody wants it */
	repo_poll(p->repo);			  /* freed while it runs */
}

static void test_cache__deleted_damaged_or_half_written_is_made_good(void **state)
{
	static const char *const harm[] = {
		"rm -rf ../cache/*",
		"rm -rf ../cache/*/repo.git/objects",
		"for d in ../cache/*/repo.git; do echo x > $d/HEAD; done",
		"for d in ../cache/*/repo.git; do : > $d/refs/heads/main; done",
		"for d in ../cache/*/repo.git; do echo '[' > $d/config; done",
		"for d in ../cache/*/repo.git; do echo x > $d/objects/pack/pack_git2_abcdef && "
		"echo x > $d/objects/pack/pack-1.lock && echo x > $d/HEAD.lock && "
		"echo x > $d/config.lock; done",
	};
	struct poll *p = *state;

	fixture_commit(&p->f, "a");
	open_repo(p, (struct repo_options){0});
	repo_want(p->repo, "main");
	poll_good(p);
	for (size_t i = 0; i < ARRAY_LEN(harm); i++) {
		fixture_sh(&p->f, "%s", harm[i]);
		fixture_commit(&p->f, "b");
		poll_once(p);
		if (p->err.kind)
			poll_good(p);
		assert_target(p, "main", "main");
		fixture_sh(&p->f, "! ls ../cache/*/repo.git/objects/pack/pack_git2_* "
				  "../cache/*/repo.git/*.lock");
	}
}

static void test_cache__many_packs_become_one(void **state)
{
	struct poll *p = *state;
	struct object_id first = fixture_commit(&p->f, "a");
	struct revision *r;

	open_repo(p, (struct repo_options){0});
	repo_want(p->repo, "main");
	for (int i = 0; i < GIT_PACKS_MANY + 1; i++) {
		fixture_sh(&p->f, "git commit -q --no-gpg-sign --allow-empty -m %d", i);
		poll_good(p);
	}
	AUTO_FREE char *packs =
		fixture_out(&p->f, "ls ../cache/*/repo.git/objects/pack/*.pack | wc -l");

	assert_string_equal(packs, "1");
	assert_target(p, "main", "main");
	assert_int_equal(repo_revision_at(p->repo, &first, &r, NULL), 0);
	revision_free(r);
	fixture_sh(&p->f, "git --git-dir=$(ls -d ../cache/*/repo.git) fsck --no-dangling");
}

static void test_cache__every_url_has_its_own(void **state)
{
	struct poll *p = *state;

	fixture_commit(&p->f, "a");
	open_repo(p, (struct repo_options){0});
	poll_good(p);
	snprintf(p->url, sizeof p->url, "file://%s/", p->f.work);
	open_repo(p, (struct repo_options){0});
	poll_good(p);
	AUTO_FREE char *dirs = fixture_out(&p->f, "ls ../cache | wc -l");

	assert_string_equal(dirs, "2");
}

static void test_repo__urls_are_checked_before_anything_runs(void **state)
{
	struct poll *p = *state;
	struct repo_options o = {.url = p->url, .cache_dir = p->cache};
	struct repo *r = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(repo_new(p->loop, &o, on_poll, p, &r, &err), -1);
	assert_string_equal(error_code(&err), "UrlRefused");
	o.url = "git@host:path";
	assert_int_equal(repo_new(p->loop, &o, on_poll, p, &r, &err), -1);
	assert_string_equal(error_code(&err), "GitAuth");
	assert_null(r);
	open_repo(p, (struct repo_options){.url = "file:///nonexistent"});
	poll_once(p);
	assert_string_equal(error_code(&p->err), "FetchFailed");
}

/* ---- The child alone ---- */

static void fetch(struct poll *p, const char *more, struct child_result *r)
{
	const char *argv[] = {"/proc/self/exe", "git-fetch", NULL};
	AUTO_FREE char *orders = mem_printf(
		"{\"url\":\"%s\",\"cache\":\"%s\",\"allowFile\":true,\"want\":[\"main\"],"
		"\"deadlineMs\":20000%s}",
		p->url, p->cache, more);
	struct child_options o = {.argv = argv,
				  .stdin_data = orders,
				  .stdin_len = strlen(orders),
				  .deadline_ms = 20000};
	struct error err = ERROR_INIT;

	if (child_run(&o, r, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_fetch__packs_have_a_cap(void **state)
{
	struct poll *p = *state;
	struct child_result r;

	fixture_sh(&p->f,
		   "head -c 300000 /dev/urandom > big && git add big && git commit -q -m big");
	fetch(p, ",\"packMax\":200000", &r);
	if (!strstr(r.out.ptr, "PackTooLarge"))
		fail_msg("%s", r.out.ptr);
	assert_int_equal(r.exit_code, 1);
	child_result_clear(&r);
	fetch(p, ",\"packMax\":400000", &r);
	if (!strstr(r.out.ptr, "\"fetched\":true"))
		fail_msg("%s", r.out.ptr);
	child_result_clear(&r);
}

/* A small pack of a large object: whatever reads it, or a delta on it, would unpack it whole.
 */
static void test_fetch__objects_have_a_cap(void **state)
{
	struct poll *p = *state;
	struct child_result r;

	fixture_sh(&p->f, "truncate -s 101M zeros && git add zeros && git commit -q -m zeros");
	fetch(p, ",\"packMax\":400000000", &r);
	if (!strstr(r.out.ptr, "PackTooLarge") || !strstr(r.out.ptr, "an object of 105906176"))
		fail_msg("%s", r.out.ptr);
	assert_int_equal(r.exit_code, 1);
	child_result_clear(&r);
	fetch(p, ",\"packMax\":400000000",
	      &r); /* nothing of it was kept that a second try would take for good */
	assert_non_null(strstr(r.out.ptr, "PackTooLarge"));
	child_result_clear(&r);
}

static void test_fetch__without_orders_it_does_nothing(void **state)
{
	const char *argv[] = {"/proc/self/exe", "git-fetch", NULL};
	struct child_options o = {.argv = argv, .deadline_ms = 5000};
	struct child_result r;

	assert_int_equal(child_run(&o, &r, NULL), 0);
	assert_int_equal(r.exit_code, 1);
	assert_non_null(strstr(r.out.ptr, "no orders"));
	child_result_clear(&r);
}

/* In a child of this test: 0 when the fence holds. */
static int try_fence(struct poll *p)
{
	struct fence fence = {.writable = p->cache, .file_max = 1 << 20, .cpu_ms = 10000};
	AUTO_FREE char *inside = mem_printf("%s/x", p->cache);
	AUTO_FREE char *outside = mem_printf("%s/x", p->f.dir);
	AUTO_FREE char *secret = mem_printf("%s/alice", p->f.dir);
	int abi = -1, fd;

	mkdir(p->cache, 0700);
	if (fence_raise(&fence, &abi, NULL) < 0)
		return 1;
	fd = open(inside, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return 2;
	if (ftruncate(fd, 2 << 20) == 0 || lseek(fd, 2 << 20, SEEK_SET) < 0 ||
	    write(fd, "x", 1) == 1)
		return 3;
	if (abi == 0)
		return 77;
	if (open(outside, O_WRONLY | O_CREAT, 0600) >= 0)
		return 4;
	if (open(secret, O_RDONLY) >= 0)
		return 5;
	if (open("/etc/hosts", O_RDONLY) < 0)
		return 6;
	if (execl("/bin/true", "true", NULL) == 0)
		return 7;
	return 0;
}

static void test_fence__writes_only_the_cache_reads_no_secret_runs_nothing(void **state)
{
	struct poll *p = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(try_fence(p));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- HTTP servers that misbehave ---- */

static void test_poll__server_that_stalls_is_left_at_the_deadline(void **state)
{
	struct poll *p = *state;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	int64_t began = clock_mono_ms();

	assert_int_equal(bind(s, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(s, 5), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&at, &len), 0);
	snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d/r", ntohs(at.sin_port));
	open_repo(p, (struct repo_options){.deadline_ms = 400});
	repo_want(p->repo, "main");
	poll_once(p);
	assert_string_equal(error_code(&p->err), "FetchTimeout");
	assert_int_equal(p->err.kind, ERROR_TRANSIENT);
	assert_in_range(clock_mono_ms() - began, 400, 5000);
	close(s);
}

struct http {
	struct evhttp *server;
	int port, requests, with_login;
	int answer;
	char location[96];
};

static void on_request(struct evhttp_request *req, void *arg)
{
	struct http *h = arg;
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);

	h->requests++;
	if (evhttp_find_header(evhttp_request_get_input_headers(req), "Authorization"))
		h->with_login++;
	if (h->answer == 401)
		evhttp_add_header(out, "WWW-Authenticate", "Basic realm=\"x\"");
	if (h->answer == 302)
		evhttp_add_header(out, "Location", h->location);
	evhttp_send_reply(req, h->answer, "no", NULL);
}

static void http_start(struct poll *p, struct http *h, int answer)
{
	struct evhttp_bound_socket *s;
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	*h = (struct http){.server = evhttp_new(loop_base(p->loop)), .answer = answer};
	evhttp_set_gencb(h->server, on_request, h);
	s = evhttp_bind_socket_with_handle(h->server, "127.0.0.1", 0);
	assert_int_equal(
		getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&at, &len), 0);
	h->port = ntohs(at.sin_port);
}

static void test_poll__refused_login_is_told_once_and_not_repeated(void **state)
{
	struct poll *p = *state;
	struct http h;

	http_start(p, &h, 401);
	snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d/r", h.port);
	open_repo(p, (struct repo_options){.username = "u", .password = "hunter2"});
	poll_once(p);
	assert_string_equal(error_code(&p->err), "GitAuth");
	assert_int_equal(p->err.kind, ERROR_DENIED);
	assert_null(strstr(p->err.text, "hunter2"));
	assert_int_equal(h.with_login, 1);
	open_repo(p, (struct repo_options){0});
	poll_once(p);
	assert_string_equal(error_code(&p->err), "GitAuth");
	assert_int_equal(h.with_login, 1);
	evhttp_free(h.server);
}

/* libgit2 follows a redirect to another port of the host; nothing of ours goes there. */
static void test_poll__redirects_take_no_login_elsewhere(void **state)
{
	static const struct {
		const char *host;
		int requests;
		const char *reason;
	} rows[] = {{"127.0.0.1", 1, "GitAuth"}, {"localhost", 0, "FetchFailed"}};
	struct poll *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http first, second;

		http_start(p, &first, 302);
		http_start(p, &second, 401);
		snprintf(first.location, sizeof first.location,
			 "http://%s:%d/r/info/refs?service=git-upload-pack", rows[i].host,
			 second.port);
		snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d/r", first.port);
		open_repo(p, (struct repo_options){.username = "u", .password = "hunter2"});
		poll_once(p);
		assert_row_text(error_code(&p->err), rows[i].reason, rows[i].host);
		assert_int_equal(first.requests, 1);
		assert_int_equal(second.requests, rows[i].requests);
		assert_int_equal(second.with_login, 0);
		evhttp_free(first.server);
		evhttp_free(second.server);
	}
}

/* ---- SSH ---- */

static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(s, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&at, &len), 0);
	close(s);
	return ntohs(at.sin_port);
}

/* An sshd of our own, with two kinds of host key; bob may log in. False: there is no sshd. */
static bool sshd_start(struct poll *p, int port)
{
	struct fixture *f = &p->f;

	if (access("/usr/sbin/sshd", X_OK) < 0)
		return false;
	if (getuid() == 0)
		mkdir("/run/sshd", 0755);
	fixture_sh(
		f,
		"ssh-keygen -q -t ed25519 -N '' -f ../host_ed && "
		"ssh-keygen -q -t ecdsa -N '' -f ../host_ec && cp ../bob.pub ../authorized && "
		"printf 'Port %d\\nListenAddress 127.0.0.1\\nHostKey %s/host_ed\\n"
		"HostKey %s/host_ec\\nAuthorizedKeysFile %s/authorized\\nUsePAM no\\n"
		"StrictModes no\\nPidFile %s/sshd.pid\\nPermitRootLogin yes\\n"
		"PasswordAuthentication no\\n' > ../sshd_config",
		port, f->dir, f->dir, f->dir, f->dir);
	fixture_sh(f,
		   "/usr/sbin/sshd -f %s/sshd_config -E %s/sshd.log && for i in 1 2 3 4 5 6 7 "
		   "8 9; do "
		   "ssh-keyscan -p %d 127.0.0.1 > ../scan; test -s ../scan && break; sleep "
		   "0.1; done; "
		   "grep -q ed25519 ../scan && grep ed25519 ../scan > ../known_ed && "
		   "grep ecdsa ../scan > ../known_ec && cp ../known_ed ../known_hash && "
		   "ssh-keygen -q -H -f ../known_hash && rm -f ../known_hash.old",
		   f->dir, f->dir, port);
	return true;
}

static void sshd_stop(struct poll *p)
{
	fixture_sh(&p->f, "kill $(cat ../sshd.pid)");
}

static void assert_ssh(struct poll *p, const char *key, const char *known, const char *reason)
{
	AUTO_FREE char *key_text = fixture_out(&p->f, "cat ../%s; echo", key);
	AUTO_FREE char *known_text = fixture_out(&p->f, "cat ../%s", known);

	open_repo(p, (struct repo_options){.ssh_private_key = key_text,
					   .known_hosts = known_text});
	repo_want(p->repo, "main");
	poll_once(p);
	if (strcmp(p->err.kind ? error_code(&p->err) : "", reason) != 0)
		fail_msg("%s, %s: seen %s, wanted %s", key, known, p->err.text, reason);
	if (!*reason)
		assert_target(p, "main", "main");
}

static void test_poll__ssh_with_pinned_host(void **state)
{
	struct poll *p = *state;
	int port = free_port();

	fixture_commit(&p->f, "a");
	if (!sshd_start(p, port))
		skip();
	AUTO_FREE char *user = mem_strdup(getpwuid(getuid())->pw_name);

	snprintf(p->url, sizeof p->url, "ssh://%.60s@127.0.0.1:%d%s", user, port, p->f.work);
	assert_ssh(p, "bob", "scan", "");
	/* only one of the server's two host keys is pinned */
	assert_ssh(p, "bob", "known_ed", "");
	fixture_commit(&p->f, "b");
	assert_ssh(p, "bob", "known_ec", "");
	assert_ssh(p, "bob", "known_hash", "");
	/* another key at that address, nothing about it, a key it does not know */
	fixture_sh(&p->f,
		   "sed \"s|ssh-ed25519 .*|$(cut -d' ' -f1,2 ../alice.pub)|\" ../known_ed > "
		   "../known_other && echo '# none' > ../known_none");
	assert_ssh(p, "bob", "known_other", "HostKeyMismatch");
	assert_int_equal(p->err.kind, ERROR_DENIED);
	assert_ssh(p, "bob", "known_none", "HostKeyMismatch");
	assert_ssh(p, "mallory", "known_ed", "GitAuth");
	fixture_sh(&p->f, "grep -q 'Connection from\\|Accepted publickey\\|Connection closed' "
			  "../sshd.log");
	sshd_stop(p);
	poll_once(p);
	assert_string_equal(error_code(&p->err), "FetchFailed");
}

int main(int argc, char **argv)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make, clear)
	const struct CMUnitTest tests[] = {
		TEST(test_poll__branch_tag_head_and_id),
		TEST(test_poll__sees_pushes_and_rewrites_and_keeps_what_was),
		TEST(test_poll__branch_gives_way_to_a_folder_of_branches),
		TEST(test_poll__one_at_a_time_and_one_more),
		TEST(test_cache__deleted_damaged_or_half_written_is_made_good),
		TEST(test_cache__many_packs_become_one),
		TEST(test_cache__every_url_has_its_own),
		TEST(test_repo__urls_are_checked_before_anything_runs),
		TEST(test_fetch__packs_have_a_cap),
		TEST(test_fetch__objects_have_a_cap),
		TEST(test_fetch__without_orders_it_does_nothing),
		TEST(test_fence__writes_only_the_cache_reads_no_secret_runs_nothing),
		TEST(test_poll__server_that_stalls_is_left_at_the_deadline),
		TEST(test_poll__refused_login_is_told_once_and_not_repeated),
		TEST(test_poll__redirects_take_no_login_elsewhere),
		TEST(test_poll__ssh_with_pinned_host),
	};

	if (argc == 2 && strcmp(argv[1], "git-fetch") == 0)
		return git_fetch_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

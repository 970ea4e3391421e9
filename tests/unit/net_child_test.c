/* net/child.c: what a child gets, what it gives, and that it ends. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/child.h"

static int run(struct child_options o, struct child_result *r, struct error *err)
{
	if (!o.deadline_ms)
		o.deadline_ms = 20000;
	return child_run(&o, r, err);
}

#define SH(script)                       \
	(const char *const[])            \
	{                                \
		"sh", "-c", script, NULL \
	}

static void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_child__input_goes_in_and_both_outputs_come_out(void **state)
{
	struct child_result r;
	char *big = test_repeat("0123456789abcdef", 40000); /* ten pipes full */
	struct child_options o = {.argv = SH("cat; echo oops >&2; exit 3"),
				  .stdin_data = big,
				  .stdin_len = strlen(big)};

	assert_int_equal(run(o, &r, NULL), 0);
	assert_int_equal(r.exit_code, 3);
	assert_int_equal(r.signal, 0);
	assert_false(r.timed_out || r.overflowed);
	assert_int_equal(r.out.len, strlen(big));
	assert_memory_equal(r.out.ptr, big, r.out.len);
	assert_string_equal(r.err.ptr, "oops\n");
	child_result_clear(&r);
	free(big);
	assert_no_children();
}

static void test_child__that_does_not_read_its_input_is_fine(void **state)
{
	struct child_result r;
	char *big = test_repeat("x", 1000000);
	struct child_options o = {
		.argv = SH("exit 0"), .stdin_data = big, .stdin_len = 1000000};

	assert_int_equal(run(o, &r, NULL), 0);
	assert_int_equal(r.exit_code, 0);
	child_result_clear(&r);
	free(big);
}

static void test_child__gets_named_environment_and_no_other(void **state)
{
	struct child_result r;
	const char *env[] = {"A=b", NULL};
	struct child_options o = {.argv = (const char *const[]){"/usr/bin/env", NULL},
				  .env = env};

	setenv("SECRET_OF_OURS", "1", 1);
	assert_int_equal(run(o, &r, NULL), 0);
	assert_string_equal(r.out.ptr, "A=b\n");
	child_result_clear(&r);
	o.env = NULL;
	assert_int_equal(run(o, &r, NULL), 0);
	assert_null(strstr(r.out.ptr, "SECRET_OF_OURS"));
	assert_non_null(strstr(r.out.ptr, "PATH="));
	assert_non_null(strstr(r.out.ptr, "HOME="));
	assert_non_null(strstr(r.out.ptr, "LANG=C.UTF-8\n"));
	child_result_clear(&r);
}

static void test_child__has_no_descriptor_of_ours(void **state)
{
	struct child_result r;
	int fd = fcntl(STDIN_FILENO, F_DUPFD, 17); /* not close-on-exec */
	char ours[16];

	assert_int_equal(
		run((struct child_options){.argv = SH("echo /proc/$$/fd/*")}, &r, NULL), 0);
	snprintf(ours, sizeof ours, "/fd/%d", fd);
	assert_non_null(strstr(r.out.ptr, "/fd/0 "));
	assert_non_null(strstr(r.out.ptr, "/fd/2"));
	assert_null(strstr(r.out.ptr, ours));
	assert_null(strstr(r.out.ptr, "/fd/4")); /* 3 is the shell's own, for the folder */
	child_result_clear(&r);
	close(fd);
}

static void test_child__sigpipe_is_not_ignored_in_it(void **state)
{
	struct child_result r;

	assert_int_equal(
		run((struct child_options){.argv = SH("kill -PIPE $$; echo alive")}, &r, NULL),
		0);
	assert_int_equal(r.signal, SIGPIPE);
	assert_int_equal(r.exit_code, -1);
	child_result_clear(&r);
}

static void test_child__and_its_children_are_killed_at_the_deadline(void **state)
{
	struct child_result r;
	struct child_options o = {.argv = SH("sleep 77 & echo $!; wait"), .deadline_ms = 200};
	int64_t start = clock_mono_ms();

	assert_int_equal(run(o, &r, NULL), 0);
	assert_true(r.timed_out);
	assert_int_equal(r.exit_code, -1);
	assert_int_equal(r.signal, SIGKILL);
	assert_in_range(r.took_ms, 190, 5000);
	assert_in_range(clock_mono_ms() - start, 190, 5000);
	pid_t sleeper = atoi(r.out.ptr);
	assert_true(sleeper > 1);
	for (int i = 0; i < 100 && !kill(sleeper, 0);
	     i++) { /* init reaps it, when it comes to it */
		char path[64], line[256] = "";
		snprintf(path, sizeof path, "/proc/%d/stat", (int)sleeper);
		FILE *f = fopen(path, "r");
		bool zombie = !f || !fgets(line, sizeof line, f) || strstr(line, ") Z");
		if (f)
			fclose(f);
		if (zombie)
			break;
		assert_int_not_equal(i, 99);
		usleep(20000);
	}
	child_result_clear(&r);
	assert_no_children();
}

static void test_child__left_in_the_background_does_not_hold_up(void **state)
{
	struct child_result r;
	int64_t start = clock_mono_ms();

	assert_int_equal(
		run((struct child_options){.argv = SH("sleep 30 & echo done")}, &r, NULL), 0);
	assert_int_equal(r.exit_code, 0);
	assert_string_equal(r.out.ptr, "done\n");
	assert_in_range(clock_mono_ms() - start, 0, 10000);
	child_result_clear(&r);
}

static void test_child__output_up_to_the_cap_and_beyond(void **state)
{
	struct child_result r;
	struct child_options o = {.argv = SH("printf 12345678"), .stdout_max = 8};

	assert_int_equal(run(o, &r, NULL), 0);
	assert_false(r.overflowed);
	assert_int_equal(r.exit_code, 0);
	child_result_clear(&r);
	o.stdout_max = 7;
	assert_int_equal(run(o, &r, NULL), 0);
	assert_true(r.overflowed);
	assert_int_equal(r.exit_code, -1);
	assert_string_equal(r.out.ptr, "1234567");
	child_result_clear(&r);
	o = (struct child_options){.argv = SH("yes >&2"), .stderr_max = 1000};
	assert_int_equal(run(o, &r, NULL), 0);
	assert_true(r.overflowed);
	assert_int_equal(r.err.len, 1000);
	child_result_clear(&r);
}

static void test_child__that_can_not_start_says_so(void **state)
{
	struct child_result r;
	struct error err = ERROR_INIT;
	struct child_options o = {.argv = (const char *const[]){"/no/such/program", NULL}};

	assert_int_equal(run(o, &r, &err), -1);
	assert_error(&err, ERROR_INVALID, "Invalid",
		     "run /no/such/program: No such file or directory");
	assert_no_children();
}

static void never(void *arg, struct child_result *r)
{
	fail();
}

static void test_child__cancelled_is_dead_and_reaped_and_says_nothing(void **state)
{
	struct loop *loop;
	struct child *c;
	struct child_options o = {.argv = SH("sleep 50"), .deadline_ms = 20000};

	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(child_start(loop, &o, never, NULL, &c, NULL), 0);
	child_cancel(c);
	assert_no_children();
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child__input_goes_in_and_both_outputs_come_out),
		cmocka_unit_test(test_child__that_does_not_read_its_input_is_fine),
		cmocka_unit_test(test_child__gets_named_environment_and_no_other),
		cmocka_unit_test(test_child__has_no_descriptor_of_ours),
		cmocka_unit_test(test_child__sigpipe_is_not_ignored_in_it),
		cmocka_unit_test(test_child__and_its_children_are_killed_at_the_deadline),
		cmocka_unit_test(test_child__left_in_the_background_does_not_hold_up),
		cmocka_unit_test(test_child__output_up_to_the_cap_and_beyond),
		cmocka_unit_test(test_child__that_can_not_start_says_so),
		cmocka_unit_test(test_child__cancelled_is_dead_and_reaped_and_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* net/loop.c: timers and signals. */
#include "test.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

struct owner {
	struct loop *loop;
	struct timer a, b;
	int fired_a, fired_b;
};

static void on_a(void *arg)
{
	struct owner *o = arg;

	o->fired_a++;
	timer_cancel(&o->b);
	timer_set(&o->b, 20);
}

static void on_b(void *arg)
{
	struct owner *o = arg;

	o->fired_b++;
	loop_stop(o->loop);
}

static void test_timer__is_replaced_cancelled_and_set_again(void **state)
{
	struct owner o = {0};

	assert_int_equal(loop_new(&o.loop, NULL), 0);
	timer_init(&o.a, o.loop, on_a, &o);
	timer_init(&o.b, o.loop, on_b, &o);
	assert_false(timer_pending(&o.a));
	timer_set(&o.a, 60000);
	timer_set(&o.a, 0); /* replaces */
	timer_set(&o.b, 1);
	assert_true(timer_pending(&o.a));
	int64_t start = clock_mono_ms();
	loop_run(o.loop);
	assert_in_range(clock_mono_ms() - start, 12, 2000);
	assert_int_equal(o.fired_a, 1);
	assert_int_equal(o.fired_b, 1);
	assert_false(timer_pending(&o.b));
	timer_clear(&o.a);
	timer_clear(&o.a); /* twice is fine */
	timer_clear(&o.b);
	loop_free(o.loop);
}

static struct loop *freeing_loop;

static void on_free(void *arg)
{
	struct owner *o = arg;

	timer_clear(&o->a);
	free(o);
	loop_stop(freeing_loop);
}

static void test_timer__owner_may_be_freed_in_its_callback(void **state)
{
	struct owner *o = mem_alloc(sizeof *o);

	assert_int_equal(loop_new(&freeing_loop, NULL), 0);
	timer_init(&o->a, freeing_loop, on_free, o);
	timer_set(&o->a, 0);
	loop_run(freeing_loop);
	loop_free(freeing_loop);
}

static int got;

static void on_signal(void *arg, int number)
{
	got = number;
	loop_stop(arg);
}

static void test_loop__calls_for_signals_and_ignores_sigpipe(void **state)
{
	struct loop *loop;
	int fd[2];

	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(loop_on_signal(loop, SIGUSR1, on_signal, loop), 0);
	assert_int_equal(pipe(fd), 0);
	close(fd[0]);
	assert_int_equal(write(fd[1], "x", 1), -1); /* and we are still here */
	close(fd[1]);
	kill(getpid(), SIGUSR1);
	loop_run(loop);
	assert_int_equal(got, SIGUSR1);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer__is_replaced_cancelled_and_set_again),
		cmocka_unit_test(test_timer__owner_may_be_freed_in_its_callback),
		cmocka_unit_test(test_loop__calls_for_signals_and_ignores_sigpipe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

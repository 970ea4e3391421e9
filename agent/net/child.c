/*
 * net/child.c - fork, exec, pipes on the loop, one pidfd, one timer.
 *
 * The end is when the child itself has ended: its group is killed first (so that nothing of it
 * outlives the call), then it is reaped, then what stands in the pipes is read. A grandchild
 * that keeps a pipe open can't hold the result up.
 */
#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define STDOUT_MAX     ((size_t)1 << 20)
#define STDERR_MAX     ((size_t)64 << 10)
#define KILLED_WAIT_MS 1000

extern char **environ;

struct stream {
	int fd; /* -1: closed */
	struct event *event;
	struct buf *buf; /* NULL for stdin */
	size_t max;
	struct child *child;
};

struct child {
	struct stream in, out, err;
	struct buf input;
	size_t written;
	pid_t pid;
	int pidfd;
	struct event *exited;
	struct timer deadline;
	int64_t started;
	struct child_result result;
	child_on_done *on_done;
	void *arg;
};

static void stream_close(struct stream *s)
{
	if (s->event)
		event_free(s->event); /* before the descriptor closes */
	s->event = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void kill_group(struct child *c)
{
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL); /* should it not have come to setpgid() yet */
}

/* Read until there is nothing more for now, the stream ends, or the cap is passed. */
static void drain(struct stream *s)
{
	char chunk[16384];

	while (s->fd >= 0) {
		ssize_t n = read(s->fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			stream_close(s);
			return;
		}
		size_t room = s->max - s->buf->len;
		buf_add(s->buf, chunk, (size_t)n < room ? (size_t)n : room);
		if ((size_t)n > room) {
			s->child->result.overflowed = true;
			kill_group(s->child);
			stream_close(s);
		}
	}
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	drain(arg);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = ((struct stream *)arg)->child;

	while (c->written < c->input.len) {
		ssize_t n =
			write(c->in.fd, c->input.ptr + c->written, c->input.len - c->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* EPIPE: it doesn't want the rest */
		c->written += (size_t)n;
	}
	stream_close(&c->in);
}

static void child_free(struct child *c)
{
	stream_close(&c->in);
	stream_close(&c->out);
	stream_close(&c->err);
	if (c->exited)
		event_free(c->exited);
	if (c->pidfd >= 0)
		close(c->pidfd);
	timer_clear(&c->deadline);
	if (c->input.len)
		explicit_bzero(c->input.ptr, c->input.len);
	buf_clear(&c->input);
	child_result_clear(&c->result);
	free(c);
}

static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct child_result *r = &c->result;
	int status = 0;

	kill_group(c); /* it is a zombie still, so the number can't be another's */
	if (waitpid(c->pid, &status, 0) != c->pid)
		status = 0xff00; /* somebody else reaped it: can't be */
	drain(&c->out);
	drain(&c->err);
	r->exit_code =
		WIFEXITED(status) && !r->timed_out && !r->overflowed ? WEXITSTATUS(status) : -1;
	r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->took_ms = clock_mono_ms() - c->started;
	c->on_done(c->arg, r);
	child_free(c);
}

static void on_deadline(void *arg)
{
	struct child *c = arg;

	c->result.timed_out = true;
	kill_group(c); /* then on_exit_event() */
}

/* ---- the child's side: only async-signal-safe calls from fork to exec ---- */

struct launch {
	const char *const *argv;
	char *const *env;
	int in, out, err, report; /* report: carries errno when exec fails */
	pid_t parent;
};

static _Noreturn void fail(int report)
{
	int error = errno;

	if (write(report, &error, sizeof error) < 0) {
		/* nobody left to tell */
	}
	_exit(127);
}

static _Noreturn void run(const struct launch *l)
{
	sigset_t none;
	int fd[4];

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != l->parent)
		_exit(127); /* it died before prctl() */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL); /* an ignored SIGPIPE would be inherited */
	/* Above 3 first, so that none overwrites another. */
	fd[0] = fcntl(l->in, F_DUPFD, 4);
	fd[1] = fcntl(l->out, F_DUPFD, 4);
	fd[2] = fcntl(l->err, F_DUPFD, 4);
	fd[3] = fcntl(l->report, F_DUPFD, 4);
	for (int i = 0; i < 4; i++)
		if (fd[i] < 0 || dup2(fd[i], i) < 0)
			fail(l->report);
	if (close_range(4, ~0U, 0))
		fail(3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	environ = (char **)l->env;
	execvp(l->argv[0], (char *const *)l->argv);
	fail(3);
}

/* ---- starting ---- */

static int make_pipe(int fd[2], bool parent_reads)
{
	if (pipe2(fd, O_CLOEXEC))
		return -1;
	return fcntl(fd[parent_reads ? 0 : 1], F_SETFL, O_NONBLOCK);
}

/* 0, or the errno of what failed; on success the parent's ends are in `c`. */
static int launch(struct child *c, const char *const *argv, char *const *env)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
	int error = 0;
	struct launch l = {.argv = argv, .env = env, .parent = getpid()};

	if (make_pipe(in, false) || make_pipe(out, true) || make_pipe(err, true) ||
	    pipe2(report, O_CLOEXEC) || (c->pid = fork()) < 0) {
		error = errno;
		c->pid = -1;
	} else if (!c->pid) {
		l.in = in[0];
		l.out = out[1];
		l.err = err[1];
		l.report = report[1];
		run(&l);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	close(report[1]);
	c->in.fd = in[1];
	c->out.fd = out[0];
	c->err.fd = err[0];
	if (!error) {
		setpgid(c->pid, c->pid);
		while (read(report[0], &error, sizeof error) < 0 && errno == EINTR)
			;
		c->pidfd = error ? -1 : pidfd_open(c->pid, 0);
		if (!error && c->pidfd < 0)
			error = errno;
		if (error) {
			kill_group(c);
			waitpid(c->pid, NULL, 0);
		}
	}
	if (report[0] >= 0)
		close(report[0]);
	return error;
}

static void stream_init(struct stream *s, struct child *c, struct buf *buf, size_t max)
{
	*s = (struct stream){.fd = -1, .child = c, .buf = buf, .max = max};
}

static void stream_watch(struct stream *s, struct event_base *base, short what,
			 event_callback_fn fn)
{
	s->event = event_new(base, s->fd, what | EV_PERSIST, fn, s);
	if (!s->event || event_add(s->event, NULL))
		abort(); /* out of memory */
}

static char *default_env[4];

static char *const *environment(void)
{
	static char *path, *home;

	free(path);
	free(home);
	path = mem_printf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	home = mem_printf("HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
	default_env[0] = path;
	default_env[1] = home;
	default_env[2] = "LANG=C.UTF-8";
	return default_env;
}

int child_start(struct loop *loop, const struct child_options *o, child_on_done *on_done,
		void *arg, struct child **out, struct error *err)
{
	struct child *c = mem_alloc(sizeof *c);
	struct event_base *base = loop_base(loop);

	c->on_done = on_done;
	c->arg = arg;
	c->pidfd = -1;
	c->started = clock_mono_ms();
	buf_init(&c->input);
	buf_init(&c->result.out);
	buf_init(&c->result.err);
	stream_init(&c->in, c, NULL, 0);
	stream_init(&c->out, c, &c->result.out, o->stdout_max ? o->stdout_max : STDOUT_MAX);
	stream_init(&c->err, c, &c->result.err, o->stderr_max ? o->stderr_max : STDERR_MAX);
	buf_add(&c->input, o->stdin_data, o->stdin_data ? o->stdin_len : 0);
	int error = o->deadline_ms > 0
			    ? launch(c, o->argv, o->env ? (char *const *)o->env : environment())
			    : EINVAL;
	if (error) {
		child_free(c);
		return error_set(err, ERROR_INVALID, "run %s: %s", o->argv[0], strerror(error));
	}
	timer_init(&c->deadline, loop, on_deadline, c);
	timer_set(&c->deadline, o->deadline_ms);
	c->exited = event_new(base, c->pidfd, EV_READ, on_exit_event, c);
	if (!c->exited || event_add(c->exited, NULL))
		abort(); /* out of memory */
	stream_watch(&c->out, base, EV_READ, on_output);
	stream_watch(&c->err, base, EV_READ, on_output);
	if (c->input.len)
		stream_watch(&c->in, base, EV_WRITE, on_input);
	else
		stream_close(&c->in);
	*out = c;
	return 0;
}

void child_cancel(struct child *c)
{
	struct pollfd wait = {.fd = c->pidfd, .events = POLLIN};

	kill_group(c);
	poll(&wait, 1, KILLED_WAIT_MS); /* killed ones end at once, but for a hung disk */
	waitpid(c->pid, NULL, WNOHANG);
	child_free(c);
}

/* ---- without a loop of the caller's ---- */

struct blocking {
	struct loop *loop;
	struct child_result result;
};

static void on_run_done(void *arg, struct child_result *result)
{
	struct blocking *b = arg;

	b->result = *result;
	buf_init(&result->out);
	buf_init(&result->err);
	loop_stop(b->loop);
}

int child_run(const struct child_options *o, struct child_result *result, struct error *err)
{
	struct blocking b = {0};
	struct child *c;

	if (loop_new(&b.loop, err))
		return -1;
	int rc = child_start(b.loop, o, on_run_done, &b, &c, err);
	if (!rc) {
		loop_run(b.loop);
		*result = b.result;
	}
	loop_free(b.loop);
	return rc;
}

void child_result_clear(struct child_result *r)
{
	buf_clear(&r->out);
	buf_clear(&r->err);
}

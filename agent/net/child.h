/*
 * net/child.h - a child process with input, output caps and a deadline, on the loop.
 *
 * The child gets only the named environment, fresh descriptors 0 to 2, its own process group,
 * and dies with us. Output beyond a cap kills it. At the deadline its group gets SIGKILL.
 */
#ifndef NET_CHILD_H
#define NET_CHILD_H

#include "base/buf.h"
#include "net/loop.h"

struct child;

struct child_options {
	const char *const *argv; /* argv[0] is a path, or a name looked up in PATH */
	const char *const *env; /* NULL-terminated "A=b"; NULL: only PATH, HOME, LANG=C.UTF-8 */
	const char *stdin_data; /* copied; NULL: empty */
	size_t stdin_len;
	int64_t deadline_ms;	       /* required, > 0 */
	size_t stdout_max, stderr_max; /* bytes kept and allowed; 0: 1 MiB and 64 KiB */
};

struct child_result {
	int exit_code; /* -1: it did not exit by itself */
	int signal;    /* 0: none */
	bool timed_out, overflowed;
	struct buf out, err; /* the callee may steal them */
	int64_t took_ms;
};

typedef void child_on_done(void *arg, struct child_result *result);

/* on_done is called exactly once, from the loop, unless cancelled before. */
int child_start(struct loop *loop, const struct child_options *o, child_on_done *on_done,
		void *arg, struct child **out, struct error *err);
void child_cancel(struct child *c); /* kills the group; nothing is called afterwards */

/* The same without a loop, for command-line use and exec plugins: blocks until it ended. */
int child_run(const struct child_options *o, struct child_result *result, struct error *err);
void child_result_clear(struct child_result *r);

#endif

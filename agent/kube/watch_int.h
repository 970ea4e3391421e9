/* kube/watch_int.h - a watch: its machine (watch.c) and what comes down its stream (stream.c).
 */
#ifndef KUBE_WATCH_INT_H
#define KUBE_WATCH_INT_H

#include "kube/kube_int.h"

enum watch_state { WATCH_WAITING, WATCH_INITIAL, WATCH_LISTING, WATCH_WATCHING };

enum watch_trouble { /* seen in a stream that itself was answered with 200 */
		     TROUBLE_NONE,
		     TROUBLE_EXPIRED, /* the version is too old: list again */
		     TROUBLE_BUSY,    /* later, same version */
		     TROUBLE_BROKEN,  /* trouble_err tells; list again, later */
};

struct kube_watch {
	LIST_ENTRY(kube_watch) link;
	struct kube *k;
	struct kube_watch_options o; /* strings are ours */
	const struct kube_watch_ops *ops;
	void *arg;
	enum watch_state state;
	struct http_call *http;
	struct timer timer; /* WAITING: when to go on; else: when silence is too long */
	char version[128];  /* to resume from; "": list first */
	char *more;	    /* LISTING: the next page's token */
	struct buf line;    /* the part of an event that has come; of an error: its body */
	int64_t started, heard;
	int failures; /* in a row */
	enum watch_trouble trouble;
	struct error trouble_err;
	bool answered; /* headers with 200 have come */
	bool begun;    /* on_begin was called for this stream */
	bool got_event, told, refused_once, stopped;
	int busy; /* callbacks of the owner under way */
};

http_on_data watch_on_data;
http_on_done watch_on_stream_done, watch_on_list_done;
void watch_free(struct kube_watch *w);

/* One event line. 0, or -1: stop reading, `trouble` is set, or the watch was stopped. */
int watch_take_line(struct kube_watch *w, const char *line, size_t len);

#endif

/*
 * apply/item.c - one object's requests: dry run, write, delete; and what their answers mean.
 *
 * Whether an object thought absent is absent shows in the dry run: 201 would create it, 200 met
 * one that exists without our label. That is ours only if its uid stands in our inventory
 * (somebody took the label off), or if Git says adopt. Between the dry run and the write
 * somebody may still make one: then the write's 200 shows it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apply/apply_int.h"
#include "base/log.h"
#include "base/text.h"

bool item_is_write(const struct item *it)
{
	switch (it->change->kind) {
	case CHANGE_CREATE:
	case CHANGE_UPDATE:
	case CHANGE_REPAIR:
		return true;
	case CHANGE_PRUNE:
	case CHANGE_WAIT:
	case CHANGE_REFUSE:
	case CHANGE_KEEP:
		return false;
	}
	return false;
}

/* A repair of a live object that carries our label is one forced write and nothing else. */
bool item_needs_check(const struct item *it)
{
	return item_is_write(it) && (it->apply->o.preflight || !it->change->labelled);
}

/* "Service shop/web: why". The API client's own sentences name the object already. */
static void name_object(const struct item *it, struct error *err)
{
	const struct change *c = it->change;
	char text[256];

	snprintf(text, sizeof text, "%s %s", c->want ? c->want->kind : c->resource->kind,
		 c->name);
	if (!text_starts(err->text, text))
		error_wrap(err, "%s", object_key_text(c->key, text, sizeof text));
}

void item_fail(struct item *it, const struct error *err)
{

	if (it->err)
		return;
	it->apply->failures++;
	it->err = mem_alloc(sizeof *it->err);
	*it->err = *err;
	name_object(it, it->err);
}

void item_cancel(struct item *it)
{
	if (it->call)
		kube_cancel(steal(&it->call));
}

static bool adopted(const struct item *it)
{
	return it->change->want && it->change->want->adopt;
}

bool item_may_be_foreign(const struct item *it)
{
	return !it->change->labelled && !adopted(it);
}

/* ---- Dry runs ---- */

static void fail_foreign(struct item *it, const char *found)
{
	struct error err = ERROR_INIT;

	error_reason(
		&err, ERROR_REFUSED, "ForeignOwner",
		"%s; to take it over, set the annotation modelsync.dev/adopt: \"true\" in Git",
		found);
	item_fail(it, &err);
}

/* Says nothing about this object alone: the server is away, or the plan is out of date. */
static void end_all(struct item *it, const struct error *err)
{
	struct apply *a = it->apply;

	a->stop = true;
	if (a->end_err.kind != ERROR_NONE)
		return;
	a->end_err = *err;
	name_object(it, &a->end_err);
}

static void judge_found(struct item *it, const struct kube_reply *reply)
{
	const struct change *c = it->change;
	const char *uid = value_get_str(value_get(reply->object, "metadata"), "uid");
	struct error err = ERROR_INIT;

	if (adopted(it))
		return;
	if ((c->labelled || c->known) && (!*c->uid || text_eq(uid, c->uid))) {
		it->ours = true;
		return;
	}
	if (!c->labelled) {
		fail_foreign(it, "exists already and was not made by this application");
		return;
	}
	error_reason(&err, ERROR_CONFLICT, "Changed",
		     "replaced by another object of that name while the plan was made");
	end_all(it, &err);
}

static void judge_refusal(struct item *it, const struct error *err)
{
	if (err->kind == ERROR_TRANSIENT)
		end_all(it, err);
	else if (text_eq(err->reason, "FieldConflict"))
		fail_foreign(it, err->text);
	else
		item_fail(it, err);
}

static bool can_not_dry_run(const struct error *err)
{
	return err->kind == ERROR_INVALID && strstr(err->text, "does not support dry run");
}

static void queue_again(struct item *it)
{
	*vec_push(&it->apply->again) = it;
}

static void on_checked(struct item *it, const struct kube_reply *reply)
{
	const struct error *err = &reply->err;
	bool rechecked = it->recheck, probed = it->probe;

	it->recheck = it->probe = it->ours = false;
	if (err->kind == ERROR_NONE) {
		if (reply->status != 201)
			judge_found(it, reply);
	} else if (text_eq(err->reason, "Conflict") && !it->retried) {
		it->retried = true;
		it->recheck = rechecked;
		queue_again(it);
		return;
	} else if (!probed && can_not_dry_run(err)) {
		log_info("apply", "a webhook can't dry-run this: the write has the last word",
			 "object", it->change->key, LOG_END);
		it->probe = true;
		it->recheck = rechecked;
		queue_again(it);
		return;
	} else if (!(probed && err->kind == ERROR_GONE)) {
		judge_refusal(it, err);
	}
	if (rechecked && !it->err && !it->apply->stop)
		queue_again(it);
}

/* ---- Writes ---- */

static void count_write(struct outcome *o, const struct applied *done)
{
	if (done->unchanged)
		o->unchanged++;
	else if (done->change->kind == CHANGE_REPAIR)
		o->repaired++;
	else if (done->created)
		o->created++;
	else
		o->updated++;
}

static void fail_write(struct item *it, const struct error *err)
{
	struct apply *a = it->apply;
	struct applied done = {.change = it->change};

	a->stop |= err->kind == ERROR_TRANSIENT; /* the others would only wait as long */
	if (text_eq(err->reason, "FieldConflict"))
		fail_foreign(it, err->text);
	item_fail(it, err);
	done.err = *it->err;
	a->ops.on_applied(a->arg, &done);
}

/* `done->now` was taken from live, where the watch may have been faster than the answer. */
static void read_answer(struct applied *done, const struct value *object)
{
	const char *uid = value_get_str(value_get(object, "metadata"), "uid");

	done->uid = uid ? uid : "";
	done->own = live_own_digest(object, MANAGER);
	done->version = live_version(object);
	done->newer = done->now->version != done->version;
}

static bool only_we_wrote(const struct value *object)
{
	const struct value *list = value_at(object, "metadata", "managedFields", NULL);
	const struct value *entry;

	array_each (list, i, entry) {
		const char *subresource = value_get_str(entry, "subresource");

		if (!text_eq(value_get_str(entry, "manager"), MANAGER) &&
		    !(subresource && *subresource))
			return false;
	}
	return true;
}

/* Another application's, as far as live knows: its manager is ours, too. */
static bool of_another_application(const struct item *it, const struct value *object)
{
	const struct live_object *o = live_get(it->apply->live, it->change->key);
	const struct value *labels = value_at(object, "metadata", "labels", NULL);

	return o && *o->part_of && !text_eq(value_get_str(labels, LABEL_PART_OF), o->part_of);
}

/* An unforced write joins an object that was made since the dry run. A 200 may also mean that
 * this very write made it, when its first answer was lost and it was sent again (curl does so
 * by itself): then nobody else has written. */
static bool joined_foreign(const struct item *it, const struct kube_reply *reply)
{
	const struct change *c = it->change;
	const char *uid = value_get_str(value_get(reply->object, "metadata"), "uid");

	if (reply->status == 201 || !item_may_be_foreign(it) || !uid)
		return false;
	if (c->known && text_eq(uid, c->uid))
		return false;
	return !only_we_wrote(reply->object) || of_another_application(it, reply->object);
}

static void on_written(struct item *it, const struct kube_reply *reply)
{
	struct apply *a = it->apply;
	struct applied done = {.change = it->change, .created = reply->status == 201};

	if (text_eq(reply->err.reason, "Conflict") && !it->retried) {
		it->retried = it->recheck = true;
		queue_again(it);
		return;
	}
	if (reply->err.kind != ERROR_NONE) {
		fail_write(it, &reply->err);
		return;
	}
	if (joined_foreign(it, reply)) {
		fail_foreign(it, "appeared while the sync ran, made by somebody else; our "
				 "fields were joined to it");
		fail_write(it, it->err);
		return;
	}
	done.now = live_take(a->live, it->change->resource, reply->object);
	if (!done.now) {
		error_reason(&done.err, ERROR_TRANSIENT, "ServerError",
			     "the answer is no object");
		fail_write(it, &done.err);
		return;
	}

	read_answer(&done, reply->object);
	done.unchanged = it->version && done.version == it->version;
	count_write(&a->outcome, &done);
	a->ops.on_applied(a->arg, &done);
}

/* ---- Prunes ---- */

static void on_pruned(struct item *it, const struct kube_reply *reply)
{
	struct apply *a = it->apply;
	struct applied done = {.change = it->change};

	if (reply &&
	    reply->err.kind == ERROR_CONFLICT) { /* another uid: the one we made is gone */
		a->outcome.kept++;
		error_reason(&done.err, ERROR_CONFLICT, "Replaced",
			     "kept: another object of that name was made by somebody else");
	} else if (reply && reply->err.kind != ERROR_NONE && reply->err.kind != ERROR_GONE) {
		item_fail(it, &reply->err);
		done.err = *it->err;
	} else {
		a->outcome.pruned++;
	}
	a->ops.on_applied(a->arg, &done);
}

/* ---- Requests ---- */

static void on_reply(void *arg, struct kube_reply *reply)
{
	struct item *it = arg;
	struct apply *a = it->apply;
	bool busy = reply->tries > 1 || text_eq(reply->err.reason, "ServerBusy");

	it->call = NULL;
	pace_answered(&a->pace, it->round, busy);
	apply_wake(a);
	if (it->change->kind == CHANGE_PRUNE)
		on_pruned(it, reply);
	else if (a->state == APPLY_WRITING && !it->recheck)
		on_written(it, reply);
	else
		on_checked(it, reply);
}

static void start(struct item *it, const struct kube_request *r)
{
	it->round = pace_sent(&it->apply->pace);
	it->call = kube_send(it->apply->kube, r, on_reply, it);
}

static void send_probe(struct item *it)
{
	const struct change *c = it->change;
	struct kube_request r = {
		.verb = KUBE_GET,
		.kind = c->resource,
		.ns = c->ns,
		.name = c->name,
		.metadata_only = true,
	};

	start(it, &r);
}

static void send_apply(struct item *it, bool dry_run)
{
	const struct change *c = it->change;
	AUTO(buf) body = BUF_INIT; /* gone when the request has its copy */
	struct error err = ERROR_INIT;

	if (desired_body(it->apply->desired, c->want, &body, &err) < 0) {
		item_fail(it, &err);
		return;
	}
	struct kube_request r = {
		.verb = KUBE_APPLY,
		.kind = c->resource,
		.ns = c->ns,
		.name = c->name,
		.body = body.ptr,
		.body_len = body.len,
		.field_manager = MANAGER,
		/* A dry run of what may be ours is forced, so that a conflict can't hide its
		   uid. */
		.force = c->labelled || it->ours || adopted(it) || (dry_run && c->known),
		.dry_run = dry_run,
		.metadata_only = true,
	};
	start(it, &r);
}

static void send_delete(struct item *it)
{
	const struct change *c = it->change;
	struct kube_request r = {
		.verb = KUBE_DELETE,
		.kind = c->resource,
		.ns = c->ns,
		.name = c->name,
		.uid = c->uid,
		.metadata_only = true,
	};

	if (!*c->uid) { /* about to be created once, and never seen since: nothing to delete */
		on_pruned(it, NULL);
		return;
	}
	it->apply->outcome.wrote = true;
	start(it, &r);
}

void item_send(struct item *it)
{
	struct apply *a = it->apply;

	if (it->change->kind == CHANGE_PRUNE) {
		send_delete(it);
	} else if (it->probe) {
		send_probe(it);
	} else if (a->state == APPLY_WRITING && !it->recheck) {
		const struct live_object *o = live_get(a->live, it->change->key);

		it->version = o ? o->version : 0;
		a->outcome.wrote = true;
		send_apply(it, false);
	} else {
		send_apply(it, true);
	}
}

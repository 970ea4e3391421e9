/* sync/app_int.h - one Application's machine and what the agent shares between them. */
#ifndef SYNC_APP_INT_H
#define SYNC_APP_INT_H

#include "forge/forge.h"
#include "sync/spec.h"
#include "sync/state.h"
#include "sync/sync.h"
#include "trust/trust.h"

/* ---- Counters for /metrics ---- */
#define HISTOGRAM_BUCKETS 10
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS + 1], total;
	double sum;
};
extern const double histogram_bounds[HISTOGRAM_BUCKETS]; /* seconds */
void histogram_add(struct histogram *h, int64_t us);

struct stats {
	uint64_t syncs_ok, syncs_failed, repairs, repairs_failed, prunes, polls_ok,
		polls_failed;
	uint64_t refusals[REFUSAL_CODES];
	struct histogram sync_seconds, repair_seconds, verify_seconds;
};

/* ---- Sources: one repository a URL, however many Applications share it ---- */
struct source {
	struct agent *agent;
	char *url;
	struct repo *repo;   /* NULL while its credentials are refused: err tells */
	struct error err;    /* of the last poll; ERROR_NONE: good */
	bool polled;	     /* an answer came, good or bad */
	uint64_t credential; /* digest of the Secret in use, 0: none */
	int failures;
	int64_t broken_since_ms; /* wall clock; 0: fine */
	struct timer timer;
	VEC(struct app *) apps;
};
struct source *source_join(struct agent *a, struct app *app);
void source_leave(struct source *s, struct app *app);
void source_soon(struct source *s);	   /* within a second, if nothing else is due earlier */
void source_poll(struct source *s);	   /* now */
void source_credentials(struct source *s); /* Secrets changed: take the one that fits */

struct credential { /* a Secret labelled modelsync.dev/secret-type: repository */
	char *name, *url, *username, *password, *ssh_key, *known_hosts, *ca;
	uint64_t digest;
};
/* From a Secret; NULL: no url in it. */
struct credential *credential_read(const struct value *secret);
void credential_free(struct credential *c);

struct policy_slot {	       /* a TrustPolicy by name */
	struct policy *policy; /* NULL: err tells why */
	struct error err;
};

/* ---- One Application ---- */

enum app_state {
	APP_IDLE,      /* nothing runs; facts decide what next */
	APP_LOADING,   /* desired is made; the watches of its kinds have no full list yet */
	APP_PREFLIGHT, /* dry runs; the state is being saved beside them */
	APP_SAVING,    /* the union inventory is being written */
	APP_WRITING,   /* writes, health, prune */
	APP_REPAIRING, /* self-heal of objects that drifted */
	APP_STATES
};

struct condition {
	const char *type;
	int status; /* -1: not there; 0 False, 1 True */
	char reason[64];
	char *message;
	int64_t since_ms;
};
enum { CONDITION_READY, CONDITION_TRUSTED, CONDITION_SOURCE, CONDITION_STALLED, CONDITIONS };

struct operation {
	char phase[12]; /* "", Running, Succeeded, Failed */
	char revision[OBJECT_ID_HEX];
	int64_t started_ms, finished_ms;
	char *message;
};

struct app {
	struct agent *agent;
	char *key, *ns, *name, *uid, *part_of;
	int64_t generation;
	struct arena *arena; /* of spec */
	struct app_spec spec;
	struct error spec_err;	/* ERROR_NONE: spec is good */
	char *asked, *answered; /* values of ANNOTATION_SYNC: seen, and acted upon */

	struct state state;
	struct state_saver *saver;
	struct source *source;

	enum app_state phase;
	/* loading: end of the wait for first lists; fight: look again at what was left alone.
	 */
	struct timer poke, retry, loading, fight, report_timer, save_timer, forge_timer;
	int64_t phase_since_ms; /* boot-time clock */

	/* Facts, recorded by callbacks, read by app_step(). */
	bool evaluate; /* an input changed: look at everything again */
	bool ready, done, saved, save_failed;
	struct error save_err; /* with save_failed */
	int skip_polls;	       /* answers of polls that began before a sync was asked for */
	bool looked;	       /* evaluated at least once */
	struct map dirty; /* keys of objects that changed in the cluster since last looked at */
	struct map fights; /* key -> struct fight *: how often an object had to be repaired */

	struct object_id head; /* newest seen; valid when has_head */
	bool has_head;
	struct refusal refusal; /* of head */
	struct error
		failure; /* of target: why it is not applied; ERROR_NONE: it is, or will be */
	struct problems problems; /* behind failure */
	struct desired *target;	  /* of the newest trusted commit that could be read */
	struct desired *base;	  /* of state.applied while target is not applied */
	bool base_failed; /* it can't be made: not tried again before the next evaluation */
	uint64_t target_inputs; /* digest of what target was made from besides the commit */
	VEC(const struct kube_kind *) kinds; /* live_want()ed */
	struct plan *plan;
	struct apply *apply;
	struct outcome last; /* counts of the last finished sync */
	struct map drifted;  /* keys of objects that differ and are left so */
	size_t waiting, kept;
	bool manual, manual_prune; /* this sync was asked for by hand; it may prune */
	bool sweep;	 /* what was applied must be looked at once, object by object */
	bool drift_only; /* target stands applied; what is left to do is drift that must stay */
	int attempts;	 /* failed ones in a row, for the retry backoff */
	int64_t started_us, drift_seen_us;

	struct condition conditions[CONDITIONS];
	struct operation operation;
	char *status_sent; /* canonical JSON of the last status written */
	struct kube_call *status_call, *secret_call;
	bool status_again;
	struct forge *forge;
	char *forge_token;
	struct error forge_err;
};

struct app *app_new(struct agent *a, const char *key);
void app_free(struct app *app);
struct state *app_free_keeping_state(struct app *app);	      /* owned by the caller */
void app_object(struct app *app, const struct value *object); /* the Application as it is now */
void app_poked(struct app *app);			      /* step soon */
void app_again(struct app *app);			      /* an input changed: evaluate */
void app_polled(struct app *app);			      /* its source answered */
void app_changed(struct app *app, const char *key); /* an object of it changed in the cluster */
void app_step(struct app *app);

/* evaluate.c: facts -> target, failure, refusal. Pure of requests. */
void app_evaluate(struct app *app);
bool app_judge_again(const struct app *app); /* time or another fetch may change the verdict */
struct desired *app_base(struct app *app);   /* desired of state.applied, or NULL */
bool app_kinds_ready(const struct app *app);
/* True when a kind's first list can't come, or did not come in time: *err names it. */
bool app_kinds_broken(const struct app *app, bool late, struct error *err);

/* operation.c: one sync. */
void app_enter(struct app *app, enum app_state next); /* the only writer of phase; in app.c */
struct plan_options app_plan_options(const struct app *app);
extern const struct apply_ops app_apply_ops;
void app_plan(struct app *app);	     /* LOADING -> IDLE (nothing to do, refused) or PREFLIGHT */
bool app_add_union(struct app *app); /* true: the inventory grew */
void app_finish_sync(struct app *app);
void app_drop_apply(struct app *app);
void app_fail(struct app *app, const struct error *err);
void app_operation(struct app *app, const char *phase, const char *message);
void app_tell_observer(struct app *app, const struct error *err);

/* heal.c: self-heal of app->dirty. */
void app_heal(struct app *app);
void app_finish_repair(struct app *app);
void app_fight_over(void *app);

/* report.c: what happened, in one truth for status, conditions, events and commit status. */
struct summary {
	bool synced;
	bool current; /* the target is the newest head: not an older one that is held or healed
		       */
	const char *reason; /* "" when all is well */
	const char *text;
	enum health health;
	char why[256];
	bool running;
};
void app_summarize(const struct app *app, struct summary *s);
void app_report(struct app *app); /* soon; folded */
void app_report_now(void *app);
void app_note(struct app *app, bool warning, const char *reason, const char *note);
void app_condition(struct app *app, int which, int status, const char *reason,
		   const char *message);
void app_status_seen(struct app *app, const struct value *status); /* at first sight */
/* null when ms is 0, so that a merge patch removes it */
void app_put_time(struct arena *a, struct value *o, const char *key, int64_t ms);
struct value *app_status_value(struct arena *a, const struct app *app, const struct summary *s);
void app_forge_setup(struct app *app); /* reads the token's Secret */
void app_forge_again(void *app);       /* the same, for a timer */
void app_post_commit_status(struct app *app, const struct summary *s);

struct agent {
	struct kube *kube;
	struct loop *loop;
	struct live *live;
	struct agent_options o; /* strings owned */
	struct map apps;	/* key -> struct app * */
	struct map by_part;	/* part-of -> struct app * */
	struct map sources;	/* url -> struct source * */
	struct map policies;	/* name -> struct policy_slot * */
	struct map secrets;	/* name -> struct credential * */
	struct map broken; /* "Kind.group" -> struct error *: why its watch does not work */
	struct map states; /* app key -> struct state *: loaded, not taken by its app yet */
	struct kube_watch *watches[3];
	struct kube_call *list;
	bool seen[3]; /* that watch had a full list */
	bool states_loaded, discovered;
	uint64_t kinds_generation;
	struct timer timer; /* rediscovery, or start again */
	int64_t delay_ms;
	struct error err; /* why it is not ready */
	struct stats stats;
	bool stopping;
};
struct kind_source agent_kinds(struct agent *a);
void agent_rediscover(struct agent *a); /* soon, with backoff: a kind is not known */
const struct policy *agent_policy(const struct agent *a, const char *name, struct refusal *why);
bool agent_started(const struct agent *a);
bool agent_knows_secrets(const struct agent *a); /* before that no repository is opened */

#endif

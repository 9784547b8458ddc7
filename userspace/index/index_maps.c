/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One subject: the generations of each part's index, made, filled, put in force and replaced. */
#include "index/index_maps.h"

#include "base/addr.h"
#include "base/thread.h"
#include "kernel/inner_maps.h"

#include <stdatomic.h>

#define FIRST_HOSTS 65536 /* the smallest table of hosts, 1 MiB, has room for them */
#define FIRST_NETS 4096
#define KNOWN_FOR_ONE 8 /* clean peers, for each entry of `peers` */
#define OVERFLOW_MAX 4096 /* each put compares its key with all of them */
#define SWEEP_TIME (10 * RG_NSEC_PER_SEC)
/* Without memory the next attempt is after SWEEP_TIME, and then after twice as long each time, up to this. */
#define MOST_WAIT (640 * RG_NSEC_PER_SEC)

/* Puts a part's index in force, or replaces it by a copy with more room and without what is stale, in steps. */
struct renewal {
	struct rg_job job;
	struct rg_index_maps *indexes;
	enum rg_index_part part;
	enum phase {
		RENEW_MAKE, /* thread: an empty index in a map of its own */
		RENEW_COPY,
		RENEW_PUBLISH, /* thread: the kernel waits for packets that still use the index before */
		RENEW_ACTIVATE, /* the same, for an index that is not a copy */
		RENEW_DROP, /* thread: frees the index before */
		RENEW_ENDED
	} phase;
	struct rg_index_size size;
	struct rg_index_generation made; /* the thread's */
	struct rg_index_generation fresh; /* gets all that is put and removed, too */
	struct rg_index_generation old;
	struct rg_index_cursor cursor;
	uint32_t force;
	pthread_t thread;
	bool has_work; /* begun, but not joined */
	bool has_thread;
	atomic_bool is_done;
	int err;
};

/* Upkeep of all parts, a phase after the other. */
struct upkeep {
	struct rg_job job;
	struct rg_index_maps *indexes;
	enum { UPKEEP_EPOCHS, UPKEEP_SWEEP, UPKEEP_FILTERS } phase;
	int part;
	uint64_t now;
	struct rg_index_cursor cursor;
};

struct rg_index_maps {
	struct rg_loader *loader;
	struct rg_jobs *jobs;
	struct renewal renewals[RG_INDEXES]; /* not of lists */
	struct upkeep upkeep;
	struct rg_index_presence *presence; /* the loader's */
	struct rg_index_filters *filters; /* the loader's */
	struct rg_index_generation parts[RG_INDEXES];
	bool on; /* else every call does nothing */
	bool is_active[RG_INDEXES]; /* packets use the part, as soon as it has an index */
	bool wants_active[RG_INDEXES]; /* it is to be so soon */
	size_t max_peers;
	uint64_t next_sweep; /* ns of CLOCK_BOOTTIME, and retry_at, too */
	uint64_t retry_at[RG_INDEXES]; /* after one without memory: when to try again */
	uint64_t wait[RG_INDEXES]; /* ns: until that, from the failure on; 0: none has failed */
	uint64_t failed;
};

static void cancel_renewal(struct renewal *renewal);
static void start_renewal(struct renewal *renewal, enum phase phase);

void rg_index_maps_drop(struct rg_index_generation *generation)
{
	rg_index_free(generation->index);
	rg_closep(&generation->fd);
	*generation = (struct rg_index_generation)RG_INDEX_GENERATION_NONE;
}

/* Makes an empty index in a map of its own. presence: as of rg_index_origin. 0 or a negative error. */
static int make(const struct rg_index_maps *indexes, enum rg_index_part which,
		const struct rg_index_size *size, struct rg_index_presence *presence,
		struct rg_index_generation *ret)
{
	struct rg_index_generation part = { .fd = rg_inner_maps_new_index(indexes->loader,
									  rg_index_lines(size)) };
	const struct rg_index_origin origin = {
		.presence = presence,
		.part = which,
		.fd = part.fd,
		.now = rg_now(),
		.seed = rg_loader_maps(indexes->loader)->settings->index_seed
	};
	int err;

	if (part.fd < 0)
		return part.fd;
	err = rg_index_new(&part.index, &origin, size);
	if (err)
		rg_index_maps_drop(&part);
	else
		*ret = part;
	return err;
}

static void note_failure(struct rg_index_maps *indexes, enum rg_index_part which)
{
	uint64_t wait = indexes->wait[which] ? 2 * indexes->wait[which] : SWEEP_TIME;

	indexes->failed++;
	indexes->wait[which] = wait < MOST_WAIT ? wait : MOST_WAIT;
	indexes->retry_at[which] = rg_now() + indexes->wait[which];
}

/* ---- a thread for what keeps the loop too long ---- */

static void renew_work(struct renewal *renewal)
{
	struct rg_index_maps *indexes = renewal->indexes;
	const struct rg_index_generation *fresh =
		renewal->phase == RENEW_ACTIVATE ? &indexes->parts[renewal->part] : &renewal->fresh;

	if (renewal->phase == RENEW_MAKE)
		renewal->err = make(indexes, renewal->part, &renewal->size, indexes->presence,
				    &renewal->made);
	else if (renewal->phase == RENEW_DROP)
		rg_index_maps_drop(&renewal->old);
	else
		renewal->err = rg_inner_maps_set_index(indexes->loader, renewal->part, fresh->fd,
						       renewal->force);
	renewal->is_done = true;
}

static void *work_in_thread(void *renewal)
{
	rg_thread_yield_to_all();
	renew_work(renewal);
	return NULL;
}

/* Without a thread the loop waits. */
static void begin_work(struct renewal *renewal, enum phase phase)
{
	renewal->phase = phase;
	renewal->is_done = false;
	renewal->err = 0;
	renewal->has_work = true;
	renewal->has_thread = !rg_thread_start(&renewal->thread, "index", work_in_thread, renewal);
	if (!renewal->has_thread)
		renew_work(renewal);
}

static void join_work(struct renewal *renewal)
{
	if (renewal->has_work && renewal->has_thread)
		pthread_join(renewal->thread, NULL);
	renewal->has_work = false;
}

/* False: it takes longer. */
static bool is_work_done(struct renewal *renewal)
{
	static const struct timespec moment = { .tv_nsec = 200000 };

	if (!renewal->is_done) {
		(void)nanosleep(&moment, NULL);
		return false;
	}
	join_work(renewal);
	return true;
}

/* Whatever it has made is dropped; the part is as it was. */
static void cancel_renewal(struct renewal *renewal)
{
	join_work(renewal);
	rg_index_maps_drop(&renewal->made);
	rg_index_maps_drop(&renewal->fresh);
	rg_index_maps_drop(&renewal->old);
	renewal->phase = RENEW_ENDED;
}

/* Leaves a part to the trie, for lack of memory, until the next attempt. */
static void give_up(struct rg_index_maps *indexes, enum rg_index_part which)
{
	cancel_renewal(&indexes->renewals[which]);
	(void)rg_inner_maps_set_index(indexes->loader, which, -1, 0);
	rg_index_maps_drop(&indexes->parts[which]);
	note_failure(indexes, which);
}

/* Puts a complete generation in force: the next packets use it. 0 or a negative error. */
static int put_in_force(const struct rg_index_maps *indexes, enum rg_index_part which,
			const struct rg_index_generation *fresh)
{
	uint32_t bank = rg_inner_maps_index_bank(indexes->loader, which);
	uint32_t force = rg_index_install(fresh->index, indexes->presence, indexes->filters, bank);

	return rg_inner_maps_set_index(indexes->loader, which, fresh->fd, force);
}

/* Replaces a part's generation by a complete one, which it owns from now on. */
static void replace(struct rg_index_maps *indexes, enum rg_index_part which,
		    struct rg_index_generation *fresh)
{
	if (indexes->is_active[which] && put_in_force(indexes, which, fresh)) {
		rg_index_maps_drop(fresh);
		give_up(indexes, which);
		return;
	}
	rg_index_maps_drop(&indexes->parts[which]);
	indexes->parts[which] = *fresh;
	indexes->wait[which] = 0;
	if (indexes->is_active[which])
		rg_index_retire_previous(fresh->index);
}

/* ---- a renewal ---- */

/* The old index stays: the trie answers for what finds no room in it. */
static bool fail_renewal(struct renewal *renewal)
{
	cancel_renewal(renewal);
	note_failure(renewal->indexes, renewal->part);
	return false;
}

/* The copy takes the place of the index before, which packets do not use any more. */
static void take_place(struct renewal *renewal)
{
	struct rg_index_maps *indexes = renewal->indexes;
	struct rg_index_generation *part = &indexes->parts[renewal->part];

	renewal->old = *part;
	*part = renewal->fresh;
	renewal->fresh = (struct rg_index_generation)RG_INDEX_GENERATION_NONE;
	indexes->wait[renewal->part] = 0;
	begin_work(renewal, RENEW_DROP);
}

static void begin_publish(struct renewal *renewal, struct rg_index *index, enum phase phase)
{
	struct rg_index_maps *indexes = renewal->indexes;
	uint32_t bank = rg_inner_maps_index_bank(indexes->loader, renewal->part);

	renewal->force = rg_index_install(index, indexes->presence, indexes->filters, bank);
	begin_work(renewal, phase);
}

static bool copy(struct renewal *renewal)
{
	struct rg_index_maps *indexes = renewal->indexes;
	int ret = rg_index_copy_part(renewal->fresh.index, indexes->parts[renewal->part].index,
				     &renewal->cursor);

	if (ret < 0)
		return fail_renewal(renewal);
	if (ret > 0)
		return true;
	if (indexes->wants_active[renewal->part])
		begin_publish(renewal, renewal->fresh.index, RENEW_PUBLISH);
	else
		take_place(renewal);
	return true;
}

static bool published(struct renewal *renewal)
{
	struct rg_index_maps *indexes = renewal->indexes;
	struct rg_index *index = renewal->phase == RENEW_ACTIVATE ?
					 indexes->parts[renewal->part].index :
					 renewal->fresh.index;

	if (renewal->err) {
		give_up(indexes, renewal->part);
		return false;
	}
	rg_index_retire_previous(index);
	indexes->is_active[renewal->part] = true;
	indexes->wait[renewal->part] = 0;
	if (renewal->phase == RENEW_ACTIVATE)
		return false;
	take_place(renewal);
	return true;
}

static bool renew_step(struct rg_job *job)
{
	struct renewal *renewal = (struct renewal *)(void *)job;

	switch (renewal->phase) {
	case RENEW_MAKE:
		if (!renewal->has_work)
			begin_work(renewal, RENEW_MAKE);
		if (!is_work_done(renewal))
			return true;
		if (renewal->err)
			return fail_renewal(renewal);
		renewal->fresh = renewal->made;
		renewal->made = (struct rg_index_generation)RG_INDEX_GENERATION_NONE;
		renewal->cursor = (struct rg_index_cursor){};
		renewal->phase = RENEW_COPY;
		return copy(renewal); /* the first step before anything else is put */
	case RENEW_COPY:
		return copy(renewal);
	case RENEW_ACTIVATE:
		if (!renewal->has_work)
			begin_publish(renewal, renewal->indexes->parts[renewal->part].index,
				      RENEW_ACTIVATE);
		return is_work_done(renewal) ? published(renewal) : true;
	case RENEW_PUBLISH:
		return is_work_done(renewal) ? published(renewal) : true;
	case RENEW_DROP:
		return !is_work_done(renewal);
	default:
		return false;
	}
}

static void renew_end(struct rg_job *job, bool complete)
{
	struct renewal *renewal = (struct renewal *)(void *)job;
	const struct rg_index_maps *indexes = renewal->indexes;

	if (!complete)
		cancel_renewal(renewal);
	/* It was asked for when the copy was made already. */
	else if (indexes->parts[renewal->part].index && indexes->wants_active[renewal->part] &&
		 !indexes->is_active[renewal->part])
		start_renewal(renewal, RENEW_ACTIVATE);
}

static void start_renewal(struct renewal *renewal, enum phase phase)
{
	if (renewal->job.is_queued)
		return;
	renewal->phase = phase;
	renewal->job = (struct rg_job){ .work = RG_LOOP_INDEX, .step = renew_step, .end = renew_end };
	rg_jobs_add(renewal->indexes->jobs, RG_LANE_UPKEEP, &renewal->job);
}

bool rg_index_maps_is_busy(const struct rg_index_maps *indexes)
{
	for (int i = RG_INDEX_HOSTS; i < RG_INDEXES; i++)
		if (indexes->renewals[i].job.is_queued && indexes->renewals[i].phase <= RENEW_PUBLISH)
			return true;
	return false;
}

int rg_index_maps_new(struct rg_index_maps **ret, struct rg_loader *loader, struct rg_jobs *jobs,
		      bool on, uint32_t max_peers)
{
	const struct rg_index_size size = { .hosts4 = FIRST_HOSTS, .nets6 = FIRST_NETS };
	struct rg_index_maps *indexes = calloc(1, sizeof(*indexes));

	if (!indexes)
		return -ENOMEM;
	indexes->loader = loader;
	indexes->jobs = jobs;
	for (int i = 0; i < RG_INDEXES; i++)
		indexes->renewals[i] = (struct renewal){ .indexes = indexes,
							 .part = (enum rg_index_part)i,
							 .made = RG_INDEX_GENERATION_NONE,
							 .fresh = RG_INDEX_GENERATION_NONE,
							 .old = RG_INDEX_GENERATION_NONE };
	indexes->upkeep.indexes = indexes;
	indexes->presence = rg_loader_maps(loader)->presence;
	indexes->filters = rg_loader_maps(loader)->filters;
	indexes->max_peers = max_peers;
	for (int i = 0; i < RG_INDEXES; i++) {
		indexes->parts[i].fd = -1;
		if (!on)
			(void)rg_inner_maps_set_index(loader, i, -1, 0);
		/* Without memory for an index the trie answers. */
		else if (i != RG_INDEX_LISTS &&
			 make(indexes, i, &size, indexes->presence, &indexes->parts[i]))
			give_up(indexes, i);
	}
	indexes->on = on;
	for (int i = 0; i < RG_INDEXES; i++)
		indexes->is_active[i] = indexes->wants_active[i] = !on || i == RG_INDEX_LISTS;
	*ret = indexes;
	return 0;
}

void rg_index_maps_free(struct rg_index_maps *indexes)
{
	if (!indexes)
		return;
	for (int i = 0; i < RG_INDEXES; i++)
		rg_index_maps_drop(&indexes->parts[i]);
	free(indexes);
}

void rg_index_maps_withdraw(struct rg_index_maps *indexes)
{
	for (int i = RG_INDEX_HOSTS; i < RG_INDEXES; i++)
		(void)rg_inner_maps_set_index(indexes->loader, i, -1, 0);
}

void rg_index_maps_expect(struct rg_index_maps *indexes, size_t hosts)
{
	const struct rg_index_size size = { .hosts4 = hosts + hosts / 4, .nets6 = FIRST_NETS };
	struct rg_index_generation larger;

	if (!indexes->parts[RG_INDEX_HOSTS].index || size.hosts4 <= FIRST_HOSTS ||
	    make(indexes, RG_INDEX_HOSTS, &size, indexes->presence, &larger))
		return;
	rg_index_maps_drop(&indexes->parts[RG_INDEX_HOSTS]);
	indexes->parts[RG_INDEX_HOSTS] = larger;
}

void rg_index_maps_activate(struct rg_index_maps *indexes)
{
	for (int i = RG_INDEX_HOSTS; i < RG_INDEXES; i++) {
		bool is_active = indexes->is_active[i];

		indexes->wants_active[i] = true;
		if (!indexes->parts[i].index)
			indexes->is_active[i] = true;
		else if (!is_active) /* else a copy is under way, which is put in force at its end */
			start_renewal(&indexes->renewals[i], RENEW_ACTIVATE);
	}
}

bool rg_index_maps_retry(struct rg_index_maps *indexes, uint64_t now)
{
	const struct rg_index_size size = { .hosts4 = FIRST_HOSTS, .nets6 = FIRST_NETS };
	bool has_new = false;

	for (int i = RG_INDEX_HOSTS; indexes->on && i < RG_INDEXES; i++) {
		if (indexes->parts[i].index || now < indexes->retry_at[i])
			continue;
		if (make(indexes, i, &size, indexes->presence, &indexes->parts[i])) {
			note_failure(indexes, i);
			continue;
		}
		indexes->is_active[i] = indexes->wants_active[i] = false;
		has_new = true;
	}
	return has_new;
}

bool rg_index_maps_wants_lists(const struct rg_index_maps *indexes, uint64_t now)
{
	return indexes->on && !indexes->parts[RG_INDEX_LISTS].index &&
	       indexes->wait[RG_INDEX_LISTS] && now >= indexes->retry_at[RG_INDEX_LISTS];
}

static size_t half_more(size_t count, size_t min)
{
	return count + count / 2 > min ? count + count / 2 : min;
}

/* A clean peer takes 6 to 20 bytes here and 144 in `peers`: the index keeps more of them. */
static size_t most_entries(const struct rg_index_maps *indexes, enum rg_index_part part)
{
	return part == RG_INDEX_PEERS ? KNOWN_FOR_ONE * indexes->max_peers : SIZE_MAX;
}

/* Room for half as many again: 1/16 more at least, and no more than there may be. */
static size_t room_for(const struct rg_index_maps *indexes, enum rg_index_part part, size_t count,
		       size_t min)
{
	size_t room = half_more(count, min), most = most_entries(indexes, part);

	if (room <= most)
		return room;
	return most > count + count / 16 ? most : count + count / 16;
}

/* Replaces a part's index by a copy with more room and without what is stale, unless that is under way. */
static void renew(struct rg_index_maps *indexes, enum rg_index_part which)
{
	struct renewal *renewal = &indexes->renewals[which];
	struct rg_index_count count = rg_index_count(indexes->parts[which].index);

	if (renewal->job.is_queued)
		return;
	renewal->size = (struct rg_index_size){
		.hosts4 = room_for(indexes, which, count.hosts4, FIRST_HOSTS),
		.nets6 = room_for(indexes, which, count.nets6, FIRST_NETS),
	};
	start_renewal(renewal, RENEW_MAKE);
}

uint64_t rg_index_maps_peer_until(const struct rg_index_maps *indexes, const struct rg_addr *peer,
				  uint64_t now)
{
	const struct rg_index *index = indexes->parts[RG_INDEX_PEERS].index;

	return index ? rg_index_until(index, peer, now) : 0;
}

static bool is_full(const struct rg_index_maps *indexes, enum rg_index_part part)
{
	struct rg_index_count count = rg_index_count(indexes->parts[part].index);

	return count.hosts4 + count.nets6 >= most_entries(indexes, part);
}

void rg_index_maps_put(struct rg_index_maps *indexes, const struct rg_index_entry *entry)
{
	enum rg_index_part part = entry->peer_class == RG_CLASS_CLEAN ? RG_INDEX_PEERS :
									RG_INDEX_HOSTS;
	struct renewal *renewal = &indexes->renewals[part];
	struct rg_index *index = indexes->parts[part].index;
	int ret;

	if (!index)
		return;
	if (is_full(indexes, part) && rg_index_find(index, &entry->prefix.addr, 0) == RG_INDEX_NONE)
		return;
	ret = rg_index_put(index, entry);
	if (renewal->fresh.index && rg_index_put(renewal->fresh.index, entry) < 0)
		(void)fail_renewal(renewal);
	if (ret < 0 || rg_index_count(index).overflow > OVERFLOW_MAX)
		give_up(indexes, part);
	else if (ret > 0 && rg_now() >= indexes->retry_at[part])
		renew(indexes, part);
}

void rg_index_maps_remove(struct rg_index_maps *indexes, const struct rg_prefix *prefix, bool clean)
{
	enum rg_index_part part = clean ? RG_INDEX_PEERS : RG_INDEX_HOSTS;

	if (indexes->parts[part].index)
		rg_index_remove(indexes->parts[part].index, prefix);
	if (indexes->renewals[part].fresh.index)
		rg_index_remove(indexes->renewals[part].fresh.index, prefix);
}

bool rg_index_maps_flush(struct rg_index_maps *indexes, const struct rg_prefix *prefix,
			 struct rg_index_cursor *cursor, size_t *count)
{
	struct rg_index *index = indexes->parts[RG_INDEX_PEERS].index;

	/* A copy would get what is flushed: the flush waits for it, and then begins with the copy. */
	if (index && indexes->renewals[RG_INDEX_PEERS].fresh.index)
		return true;
	return index && rg_index_flush_part(index, prefix, cursor, count);
}

bool rg_index_maps_may_have(const struct rg_index_maps *indexes, const struct rg_addr *addr)
{
	const struct rg_index *index = indexes->parts[RG_INDEX_HOSTS].index;

	/* Until packets use it, not all verdicts are in it. */
	return !index || !indexes->is_active[RG_INDEX_HOSTS] ||
	       rg_index_find(index, addr, 0) != RG_INDEX_NONE;
}

static int put_list(struct rg_index *index, const struct rg_lists *lists)
{
	size_t count;
	const struct rg_list_item *items = rg_lists_items(lists, &count);

	for (size_t i = 0; i < count; i++) {
		const struct rg_index_entry entry = { .prefix = rg_list_item_prefix(&items[i]),
						      .expiry = rg_lists_expiry(lists, &items[i]),
						      .peer_class = items[i].peer_class,
						      .zone = RG_NO_ZONE };
		int ret = rg_index_put(index, &entry);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Until its approval ends, a blocked entry is approved; then the trie has it. */
static int put_waiting(struct rg_index *index, const struct rg_lists *lists)
{
	size_t count;
	const struct rg_list_waiting *waiting = rg_lists_waiting(lists, &count);

	for (size_t i = 0; i < count; i++) {
		const struct rg_index_entry entry = { .prefix = rg_list_item_prefix(&waiting[i].item),
						      .expiry = rg_lists_begin(lists, &waiting[i]),
						      .peer_class = RG_CLASS_APPROVED,
						      .zone = RG_NO_ZONE };
		int ret = rg_index_put(index, &entry);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Adds room for those that wait. */
static void measure_waiting(const struct rg_lists *lists, struct rg_index_size *size)
{
	size_t count;
	const struct rg_list_waiting *waiting = rg_lists_waiting(lists, &count);

	for (size_t i = 0; i < count; i++) {
		struct rg_index_size one;

		rg_index_measure(&waiting[i].item, 1, &one);
		size->hosts4 += one.hosts4;
		size->nets6 += one.nets6;
		size->nets4 |= one.nets4;
	}
}

struct rg_index_generation rg_index_maps_stage_lists(const struct rg_index_maps *indexes,
						     const struct rg_lists *lists)
{
	struct rg_index_generation staged = RG_INDEX_GENERATION_NONE;
	const struct rg_list_item *items;
	struct rg_index_size size;
	size_t count;

	if (!indexes->on)
		return staged;
	items = rg_lists_items(lists, &count);
	rg_index_measure(items, count, &size);
	measure_waiting(lists, &size);
	if (!make(indexes, RG_INDEX_LISTS, &size, NULL, &staged) &&
	    (put_list(staged.index, lists) || put_waiting(staged.index, lists)))
		rg_index_maps_drop(&staged);
	return staged;
}

void rg_index_maps_swap_lists(struct rg_index_maps *indexes, struct rg_index_generation *staged)
{
	if (!indexes->on)
		return;
	if (!staged->index) {
		give_up(indexes, RG_INDEX_LISTS);
		return;
	}
	if (rg_index_publish(staged->index, indexes->presence))
		for (int i = RG_INDEX_HOSTS; i < RG_INDEXES; i++) {
			if (indexes->parts[i].index)
				rg_index_update_near(indexes->parts[i].index);
			if (indexes->renewals[i].fresh.index)
				rg_index_update_near(indexes->renewals[i].fresh.index);
		}
	replace(indexes, RG_INDEX_LISTS, staged);
	*staged = (struct rg_index_generation)RG_INDEX_GENERATION_NONE;
}

/* Of the other parts the callers remove what is over. */
static bool sweep_part(struct upkeep *upkeep, struct rg_index *index)
{
	return upkeep->part == RG_INDEX_PEERS &&
	       rg_index_sweep_part(index, upkeep->now, &upkeep->cursor);
}

static bool renew_filters(const struct upkeep *upkeep, struct rg_index *index)
{
	if (upkeep->part == RG_INDEX_LISTS)
		return false;
	if (!rg_index_is_stale(index))
		return rg_index_rebuild_part(index);
	renew(upkeep->indexes, (enum rg_index_part)upkeep->part);
	return false;
}

static bool upkeep_step(struct rg_job *job)
{
	struct upkeep *upkeep = (struct upkeep *)(void *)job;
	struct rg_index *index = upkeep->indexes->parts[upkeep->part].index;

	if (index && (upkeep->phase == UPKEEP_EPOCHS ? rg_index_advance_part(index, upkeep->now) :
		      upkeep->phase == UPKEEP_SWEEP  ? sweep_part(upkeep, index) :
						       renew_filters(upkeep, index)))
		return true;
	if (++upkeep->part < RG_INDEXES)
		return true;
	upkeep->part = 0;
	upkeep->cursor = (struct rg_index_cursor){};
	return upkeep->phase++ != UPKEEP_FILTERS;
}

void rg_index_maps_sweep(struct rg_index_maps *indexes, uint64_t now)
{
	struct upkeep *upkeep = &indexes->upkeep;

	if (now < indexes->next_sweep || upkeep->job.is_queued)
		return;
	indexes->next_sweep = now + SWEEP_TIME;
	*upkeep = (struct upkeep){ .job = { .work = RG_LOOP_INDEX, .step = upkeep_step },
				   .indexes = indexes,
				   .now = now };
	rg_jobs_add(indexes->jobs, RG_LANE_UPKEEP, &upkeep->job);
}

struct rg_index_maps_count rg_index_maps_count(const struct rg_index_maps *indexes)
{
	struct rg_index_maps_count count = { .failed = indexes->failed };

	for (int i = 0; i < RG_INDEXES; i++) {
		if (indexes->parts[i].index)
			count.parts[i] = rg_index_count(indexes->parts[i].index);
		else if (indexes->wait[i])
			count.retry_at[i] = indexes->retry_at[i];
	}
	return count;
}

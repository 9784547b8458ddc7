/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/activation.h"

#include "base/addr.h"
#include "base/log.h"
#include "base/random.h"
#include "config/ers.h"
#include "config/saved_code.h"
#include "control/describe.h"
#include "dnsbl/zone_answer.h"

/* What begin() returns if there is nothing to load after it (reload_queue.h). */
#define NOTHING_TO_LOAD 1

/* The questions to the Standard zone. */
enum point {
	POINT_CODE, /* 0.0.0.0: old clients took an answer as "the code works" */
	POINT_NEGATIVE, /* of 127/8, random, which no cache knows: must not be listed (RFC 5782, 5) */
	POINTS
};

struct activation;

struct question {
	struct activation *activation;
	struct rg_dns_query *query; /* NULL: not under way */
	enum rg_dns_status status;
	struct rg_zone_answer answer;
};

/* A command under way. */
struct activation {
	struct rg_client *client; /* NULL: it has disconnected */
	const struct rg_modules *modules;
	const struct rg_control_ops *ops;
	char code[RG_SECRET_SIZE];
	bool force;
	struct question questions[POINTS];
	unsigned int open; /* questions without an answer */
};

static void free_activation(struct activation *activation)
{
	for (enum point point = 0; point < POINTS; point++)
		rg_dns_cancel(activation->questions[point].query);
	explicit_bzero(activation, sizeof(*activation));
	free(activation);
}

/* Answers with the error, or with `answer`, whose reference it takes over. */
static void end(struct activation *activation, int err, const struct rg_error *error, json_t *answer)
{
	struct rg_client *client = activation->client;

	if (client)
		rg_control_wait(client, NULL, NULL);
	if (!client)
		json_decref(answer);
	else if (err)
		rg_control_refuse(client, "not saved, the activation code in use stays: %s",
				  error->text);
	else
		rg_control_answer(client, answer);
	free_activation(activation);
}

/* ------------------------------------------------------------------ what the zone said */

static const char *answer_name(const struct question *question)
{
	switch (question->answer.meaning) {
	case RG_ZONE_SAYS_NOT_LISTED:
		return "not listed";
	case RG_ZONE_SAYS_OTHER:
		return "other address";
	case RG_ZONE_SAYS_LISTED:
		return "listed";
	case RG_ZONE_SAYS_ERROR:
		return "error code";
	default:
		return rg_dns_status_name(question->status);
	}
}

static json_t *describe(const struct activation *activation)
{
	static const char *const names[POINTS] = { "0.0.0.0", "127.0.0.0/8" };
	json_t *all = json_array();

	for (enum point point = 0; point < POINTS; point++) {
		const struct question *question = &activation->questions[point];
		const struct rg_zone_answer *answer = &question->answer;
		bool has_code = answer->meaning == RG_ZONE_SAYS_LISTED ||
				answer->meaning == RG_ZONE_SAYS_ERROR;

		json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "asked", names[point],
						     "answer", answer_name(question), "code",
						     rg_describe_code(has_code, answer->code)));
	}
	return all;
}

/* 0: the zone answers as it should. A DNS list answers about a wrong code as about no listing. */
static int judge(const struct activation *activation, struct rg_error *error)
{
	const struct question *negative = &activation->questions[POINT_NEGATIVE];

	for (enum point point = 0; point < POINTS; point++) {
		const struct question *question = &activation->questions[point];

		if (question->answer.meaning == RG_ZONE_SAYS_NOTHING)
			return rg_fail(error, -EIO,
				       "the Standard zone gives no answer (%s); --force saves it all the "
				       "same",
				       answer_name(question));
		if (question->answer.meaning == RG_ZONE_SAYS_ERROR)
			return rg_fail(error, -EIO,
				       "the Standard zone answers with an error code; --force saves it "
				       "all the same");
	}
	if (negative->answer.meaning == RG_ZONE_SAYS_LISTED)
		return rg_fail(error, -EIO,
			       "the Standard zone lists addresses of 127.0.0.0/8 with it, so it would "
			       "list everybody; --force saves it all the same");
	return 0;
}

static const char *comment(const struct activation *activation)
{
	struct rg_error unused;

	if (judge(activation, &unused))
		return "saved by force: the Standard zone did not answer as it should";
	if (activation->questions[POINT_CODE].status == RG_DNS_OK)
		return "the Standard zone knows this code";
	return "the Standard zone answers, but that does not prove the code: a DNS list answers about a "
	       "wrong one as about a peer that is not listed. If LISTED stays 0 in `repgatectl zones`, "
	       "the code is wrong";
}

/* ------------------------------------------------------------------ saved and in force */

static int begin(void *arg, struct rg_error *error)
{
	const struct activation *activation = arg;
	const struct rg_conf *conf = activation->modules->conf;
	char before[RG_SECRET_SIZE] = "";
	int err;

	if (!rg_ers_is_used(conf)) /* a reload came in between */
		return rg_fail(error, -EINVAL, "the configuration has no group ers");
	if (rg_saved_code_load(conf->state_dir, conf->configured_code, before))
		strcpy(before, conf->configured_code);
	err = rg_saved_code_save(conf->state_dir, activation->code, conf->configured_code, error);
	if (!err) {
		err = activation->ops->set_code(activation->ops->arg, activation->code, error);
		if (err)
			(void)rg_saved_code_save(conf->state_dir, before, conf->configured_code,
						 NULL);
	}
	explicit_bzero(before, sizeof(before));
	return err ? err : NOTHING_TO_LOAD;
}

static void done(void *arg, int err, const struct rg_error *error)
{
	struct activation *activation = arg;
	json_t *answer = NULL;

	if (!err)
		answer = json_pack("{s:b, s:o, s:s, s:b}", "saved", 1, "answers",
				   describe(activation), "comment", comment(activation),
				   "usual_length", rg_secret_is_usual(activation->code));
	end(activation, err, error, answer);
}

static void on_all_answered(struct activation *activation)
{
	const struct rg_reload_request how = { .begin = begin, .done = done, .arg = activation };
	struct rg_error error;
	int err = activation->force ? 0 : judge(activation, &error);

	if (err)
		end(activation, err, &error, NULL);
	else
		activation->ops->reload(activation->ops->arg, &how);
}

/* ------------------------------------------------------------------ the questions */

static void on_answer(void *arg, const struct rg_dns_answer *answer)
{
	struct question *question = arg;
	struct activation *activation = question->activation;
	const struct rg_zone_conf *zone = rg_ers_standard(activation->modules->conf);
	const struct rg_dnsbl_codes none = {};

	question->query = NULL;
	question->status = answer->status;
	question->answer = rg_zone_answer_read(zone ? &zone->codes : &none, answer);
	if (!--activation->open)
		on_all_answered(activation);
}

/* Nothing but the client waits for the questions. */
static void forget_client(void *what)
{
	struct activation *activation = what;

	activation->client = NULL;
	if (activation->open)
		free_activation(activation);
}

static int ask(struct activation *activation, enum point point)
{
	const struct rg_zone_conf *zone = rg_ers_standard(activation->modules->conf);
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff } };
	char suffix[RG_SECRET_MAX + sizeof(".r.mail-abuse.com")], name[RG_DNSBL_NAME_SIZE];
	struct question *question = &activation->questions[point];
	uint32_t random = rg_random_number();
	int err;

	if (point == POINT_NEGATIVE) {
		addr.bytes[12] = 127;
		addr.bytes[13] = (uint8_t)(1 + random % 254);
		addr.bytes[14] = (uint8_t)(random >> 8);
		addr.bytes[15] = (uint8_t)(random >> 16);
	}
	question->activation = activation;
	snprintf(suffix, sizeof(suffix), "%.*s.r.mail-abuse.com", RG_SECRET_MAX, activation->code);
	err = rg_dnsbl_name(&addr, suffix, name);
	if (!err)
		err = rg_dns_query(activation->modules->dns, &question->query, zone->slot,
				   RG_DNS_TEST, name, on_answer, question);
	explicit_bzero(suffix, sizeof(suffix));
	explicit_bzero(name, sizeof(name));
	return err;
}

/* The request holds the code: it is wiped where it was. */
static int take_code(const json_t *request, char code[RG_SECRET_SIZE])
{
	const json_t *text = json_object_get(request, "code");
	char *at = (char *)(uintptr_t)json_string_value(text);
	size_t len = json_string_length(text);
	int err = -EINVAL;

	if (len < RG_SECRET_SIZE && len == strlen(at)) {
		memcpy(code, at, len + 1);
		err = rg_secret_normalise(code);
	}
	explicit_bzero(at, len);
	return err;
}

void rg_activation_run(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	struct activation *activation = calloc(1, sizeof(*activation));
	int err = 0;

	if (!activation || !rg_ers_is_used(modules->conf) || take_code(request, activation->code)) {
		rg_control_refuse(client, "%s",
				  !activation ? "out of memory" :
				  !rg_ers_is_used(modules->conf) ?
						"the configuration has no group ers" :
						"this is not an activation code (" RG_SECRET_FORM
						")");
		free(activation);
		return;
	}
	activation->client = client;
	activation->modules = modules;
	activation->ops = rg_control_ops(client);
	activation->force = json_is_true(json_object_get(request, "force"));
	for (enum point point = 0; !err && point < POINTS; point++) {
		err = ask(activation, point);
		activation->open += !err;
	}
	if (err) {
		rg_control_refuse(client, "%s", strerror(-err));
		free_activation(activation);
		return;
	}
	rg_control_wait(client, activation, forget_client);
}

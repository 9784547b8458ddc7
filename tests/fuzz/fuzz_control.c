/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the requests of the control socket: any bytes, one request a line. It includes control.c for its
 * run_line(). The modules are those of tests/fakes/modules.c. Each request must
 * get one line of JSON with "ok", at once or when the inquiry ends.
 */
#include "control/control.c" /* NOLINT: see above */
#include "tests/fakes/modules.c" /* NOLINT: one set of fakes for several tests */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rg_control control = { .modules = &modules,
				     .ops = { .reload = fake_reload,
					      .set = fake_set,
					      .set_code = fake_set_code,
					      .set_mode = fake_set_mode } };

static void follow(void *arg, const struct rg_recent_event *event)
{
	rg_control_follow(arg, event);
}

/* Every line out is JSON that says whether it went well. Returns how many there are. */
static unsigned int check_answers(struct rg_client *client)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	unsigned int count = 0;
	size_t len;
	char *line;

	while ((line = evbuffer_readln(out, &len, EVBUFFER_EOL_LF))) {
		json_t *answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
		json_t *ok = json_object_get(answer, "ok");

		must(json_is_boolean(ok), line);
		must(!strcasestr(line, FAKE_SECRET), "a zone's key is shown");
		must(!strcasestr(line, FAKE_CODE), "the activation code is shown");
		must(json_object_get(answer, json_is_true(ok) ? "result" : "error") != NULL, line);
		json_decref(answer);
		free(line);
		count++;
	}
	must(!evbuffer_get_length(out), "a line without an end");
	return count;
}

/* The lines after one that waits are for later, as on_read() has it. */
static unsigned int run_lines(struct rg_client *client, const uint8_t *data, size_t size)
{
	unsigned int lines = 0;

	while (size && !client->waits_for) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		char *line = malloc(len + 1);

		if (!line)
			abort();
		memcpy(line, data, len);
		line[len] = '\0';
		run_line(client, line, len);
		free(line);
		lines++;
		data += len + (newline ? 1 : 0);
		size -= len + (newline ? 1 : 0);
	}
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rg_client *client = calloc(1, sizeof(*client));
	unsigned int lines, kind = size ? data[size - 1] : 0;

	fake_ers = true;
	fake_modules_new(follow, &control);
	if (!client)
		return 0;
	client->control = &control;
	client->stream = bufferevent_socket_new(modules.base, -1, 0);
	(void)evbuffer_unfreeze(bufferevent_get_output(client->stream), 1); /* we are the peer too */
	LIST_INSERT_HEAD(&control.clients, client, entry);
	control.client_count++;
	lines = run_lines(client, data, size);
	if (!client->waits_for || kind % 5) {
		fake_dns_status = (enum rg_dns_status)(kind % RG_DNS_OFF);
		fake_dns_record = 0x7f000000 + kind;
		fake_answer_dns();
		fake_answer(kind);
		must(!client->waits_for, "it waits for ever");
		must(check_answers(client) == lines, "number of answers");
	}
	drop_client(client); /* cancels what is open */
	fake_modules_free();
	return 0;
}

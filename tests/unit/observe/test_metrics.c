/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics page over HTTP, with a fake agent behind it: it is Prometheus text, each metric has one HELP
 * and one TYPE, counters end in _total, all losses are there; and the table of losses itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakes/modules.c" /* NOLINT: one set of fakes for several tests */

#include "observe/losses.h"
#include "observe/metrics.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <netinet/in.h>

#define MAX_METRICS 100

struct metric {
	char name[64], type[16], help[200];
	unsigned int samples;
};

static struct metric metrics[MAX_METRICS];
static size_t metric_count;
static char *page;
static int status;
static uint16_t port;

static void follow(void *arg, const struct rg_recent_event *event)
{
	(void)arg;
	(void)event;
}

/* A port that is free now. */
static uint16_t free_port(struct sockaddr_storage *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	memcpy(address, &in, sizeof(in));
	return ntohs(in.sin_port);
}

static void on_answer(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	size_t len = evbuffer_get_length(body);

	(void)arg;
	status = evhttp_request_get_response_code(request);
	free(page);
	page = calloc(1, len + 1);
	assert_non_null(page);
	evbuffer_copyout(body, page, len);
	event_base_loopbreak(modules.base);
}

static void get(const char *path)
{
	struct evhttp_connection *connection =
		evhttp_connection_base_new(modules.base, NULL, "127.0.0.1", port);
	struct evhttp_request *request = evhttp_request_new(on_answer, NULL);

	assert_int_equal(evhttp_make_request(connection, request, EVHTTP_REQ_GET, path), 0);
	event_base_dispatch(modules.base);
	evhttp_connection_free(connection);
}

static struct metric *find_metric(const char *name, size_t len)
{
	for (size_t i = 0; i < metric_count; i++)
		if (strlen(metrics[i].name) == len && !strncmp(metrics[i].name, name, len))
			return &metrics[i];
	return NULL;
}

static void read_comment(const char *line)
{
	char kind[40], name[64];
	struct metric *metric;
	int at = 0;

	assert_true(sscanf(line, "# %39s %63s %n", kind, name, &at) >= 1);
	if (strchr(kind, ':'))
		return; /* a comment: a cause of losses, and what it means */
	metric = find_metric(name, strlen(name));
	if (!strcmp(kind, "HELP")) {
		assert_null(metric); /* once */
		assert_true(metric_count < MAX_METRICS);
		metric = &metrics[metric_count++];
		snprintf(metric->name, sizeof(metric->name), "%s", name);
		snprintf(metric->help, sizeof(metric->help), "%s", line + at);
	} else {
		assert_string_equal(kind, "TYPE");
		assert_non_null(metric);
		assert_int_equal(*metric->type, '\0'); /* once */
		snprintf(metric->type, sizeof(metric->type), "%s", line + at);
	}
}

/* name{label="value",...} number */
static void read_sample(const char *line)
{
	size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *at = line + len;
	struct metric *metric = find_metric(line, len);
	char *end;

	if (!metric)
		fail_msg("no HELP before: %s", line);
	assert_true(*metric->type);
	metric->samples++;
	if (*at == '{') {
		do {
			at++;
			at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
			assert_true(at[0] == '=' && at[1] == '"');
			at += 2;
			at += strcspn(at, "\"\\\n");
			assert_int_equal(*at, '"');
			at++;
		} while (*at == ',');
		assert_int_equal(*at, '}');
		at++;
	}
	assert_int_equal(*at, ' ');
	(void)strtod(at + 1, &end);
	if (end == at + 1 || *end)
		fail_msg("no number: %s", line);
}

static void read_page(void)
{
	char *rest = page, *line;

	metric_count = 0;
	memset(metrics, 0, sizeof(metrics));
	assert_true(*page && page[strlen(page) - 1] == '\n');
	while ((line = strsep(&rest, "\n")) && *line)
		if (*line == '#')
			read_comment(line);
		else
			read_sample(line);
}

static int set_up(void **state)
{
	(void)state;
	fake_modules_new(follow, NULL);
	fake_stats_error = 0;
	return 0;
}

static struct rg_metrics *start(void)
{
	struct rg_metrics *ret;
	struct rg_error error;

	port = free_port(&modules.conf->metrics_address);
	if (rg_metrics_new(&ret, &modules, &error))
		fail_msg("%s", error.text);
	return ret;
}

static void test_page(void **state)
{
	struct rg_metrics *server;
	char *own;

	(void)state;
	own = modules.conf->metrics_listen;
	modules.conf->metrics_listen = (char[]){ "127.0.0.1" };
	fake_stats.counts[RG_STAT_DONE + RG_CLASS_STANDARD * RG_ACTION_MAX + RG_ACTION_DROP] =
		(struct rg_count){ .packets = 3, .attempts = 2 };
	fake_stats.counts[RG_STAT_LOSSES + RG_LOSS_RING_FULL].packets = 9;
	server = start();
	get("/metrics");
	assert_int_equal(status, 200);
	assert_non_null(
		strstr(page, "\nrepgate_packets_total{class=\"standard\",action=\"drop\"} 3\n"));
	assert_non_null(strstr(page, "\nrepgate_losses_total{cause=\"ring_full\"} 9\n"));
	assert_non_null(strstr(page, "\nrepgate_zone_state{zone=\"one\",state=\"open\"} 1\n"));
	assert_non_null(
		strstr(page, "\nrepgate_interface_state{interface=\"lo\",state=\"attached\"} 1\n"));
	assert_non_null(
		strstr(page, "\nrepgate_interface_state{interface=\"eth9\",state=\"missing\"} 1\n"));
	assert_non_null(strstr(page, "\nrepgate_path_lookups_total{interface=\"eth7\"} 5\n"));
	assert_non_null(strstr(page, "\nrepgate_path_unseen_total{interface=\"eth7\"} 3\n"));
	assert_non_null(strstr(page, "\nrepgate_zone_asked_total{zone=\"two\"} 5\n"));
	assert_null(strstr(page, FAKE_SECRET));
	read_page();
	assert_true(metric_count > 30);
	for (size_t i = 0; i < metric_count; i++) {
		const char *suffix = strstr(metrics[i].name, "_total");

		assert_int_equal(!strncmp(metrics[i].name, "repgate_", 8), 1);
		assert_true(*metrics[i].help);
		assert_int_equal(!strcmp(metrics[i].type, "counter"), suffix && !suffix[6]);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(metrics[k].help, metrics[i].help))
				fail_msg("%s and %s share a help text", metrics[k].name,
					 metrics[i].name);
	}
	assert_int_equal(find_metric("repgate_losses_total", 20)->samples, RG_LOSS_COUNTS);
	rg_metrics_free(server);
	modules.conf->metrics_listen = own;
	fake_modules_free();
}

static void test_errors(void **state)
{
	struct rg_metrics *server, *other;
	struct rg_error error;
	char *own = modules.conf->metrics_listen;

	(void)state;
	modules.conf->metrics_listen = (char[]){ "127.0.0.1" };
	server = start();
	get("/");
	assert_int_equal(status, 404);
	fake_stats_error = -EIO;
	get("/metrics");
	assert_int_equal(status, 500);
	assert_int_equal(rg_metrics_new(&other, &modules, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "metrics_listen 127.0.0.1: "));
	rg_metrics_free(server);
	modules.conf->metrics_listen = (char[]){ "" };
	assert_int_equal(rg_metrics_new(&other, &modules, &error), 0);
	assert_null(other);
	rg_metrics_free(other);
	modules.conf->metrics_listen = own;
	fake_modules_free();
}

static int connect_page(void)
{
	struct sockaddr_storage address = modules.conf->metrics_address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
	for (int i = 0; i < 3; i++)
		event_base_loop(modules.base, EVLOOP_NONBLOCK);
	return fd;
}

/* Descriptors of this process. */
static unsigned int open_files(void)
{
	unsigned int count = 0;
	DIR *files = opendir("/proc/self/fd");

	assert_non_null(files);
	while (readdir(files))
		count++;
	closedir(files);
	return count;
}

/* A client that keeps connections open costs 32 descriptors, and the next scrape still gets the page. */
static void test_limit(void **state)
{
	char *own = modules.conf->metrics_listen;
	struct rg_metrics *server;
	unsigned int before;
	int fds[200];

	(void)state;
	modules.conf->metrics_listen = (char[]){ "127.0.0.1" };
	server = start();
	before = open_files();
	fake_limits.metrics_limit = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_page();
	assert_true(open_files() <= before + ARRAY_SIZE(fds) + 32);
	assert_int_equal(fake_limits.metrics_limit, ARRAY_SIZE(fds) - 32);
	get("/metrics");
	assert_int_equal(status, 200);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	rg_metrics_free(server);
	modules.conf->metrics_listen = own;
	fake_modules_free();
}

/* Sends text, and returns the first line of the answer; "": the connection was closed without one. */
static const char *first_line(const char *text, size_t size)
{
	static char answer[1 << 17];
	size_t len = 0;
	ssize_t got;
	int fd = connect_page();

	(void)send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (int i = 0; i < 200; i++) {
		event_base_loop(modules.base, EVLOOP_NONBLOCK);
		got = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN))
			break;
		len += got > 0 ? (size_t)got : 0;
		usleep(1000);
	}
	close(fd);
	answer[len] = '\0';
	answer[strcspn(answer, "\r\n")] = '\0';
	return answer;
}

static void test_requests(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK" },
		{ "GET /metrics?x=1 HTTP/1.1\nHost: a\n\n", "HTTP/1.1 200 OK" },
		{ "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK" },
		{ "GET /metricsx HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found" },
		{ "POST /metrics HTTP/1.1\r\n\r\nbody", "HTTP/1.1 405 Method Not Allowed" },
		{ "GET /metrics\r\n\r\n", "HTTP/1.1 400 Bad Request" },
		{ "\r\n\r\n", "HTTP/1.1 400 Bad Request" },
		{ "GET /metrics HTTP/1.1\r\n", "" },
	};
	char *own = modules.conf->metrics_listen;
	static char long_request[100000];
	struct rg_metrics *server;

	(void)state;
	modules.conf->metrics_listen = (char[]){ "127.0.0.1" };
	server = start();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(first_line(rows[i].text, strlen(rows[i].text)), rows[i].line);
	memset(long_request, 'x', sizeof(long_request));
	assert_string_equal(first_line(long_request, sizeof(long_request)), "");
	rg_metrics_free(server);
	modules.conf->metrics_listen = own;
	fake_modules_free();
}

/* Each loss has a name of its own and a help text that says what happens then. */
static void test_losses(void **state)
{
	uint64_t losses[RG_LOSS_COUNTS], own[RG_OWN_LOSS_MAX];

	(void)state;
	for (unsigned int i = 0; i < RG_LOSS_COUNTS; i++) {
		const char *help = rg_losses_help(i);

		assert_true(*rg_losses_name(i) && *help);
		for (const char *at = rg_losses_name(i); *at; at++)
			assert_true(islower(*at) || isdigit(*at) || *at == '_');
		if (!strpbrk(help, ",:"))
			fail_msg("%s: \"%s\" does not say what happens", rg_losses_name(i), help);
		for (unsigned int k = 0; k < i; k++) {
			assert_string_not_equal(rg_losses_name(i), rg_losses_name(k));
			assert_string_not_equal(help, rg_losses_help(k));
		}
	}
	assert_string_equal(rg_losses_name(RG_LOSS_COUNTS), "?");
	assert_string_equal(rg_losses_help(RG_LOSS_COUNTS), "");

	fake_stats.counts[RG_STAT_LOSSES + RG_LOSS_RING_FULL].packets = 9;
	modules.refusals.suppressed = 4;
	modules.responder = (struct rg_responder *)&modules; /* the fake looks at nothing */
	assert_int_equal(rg_losses_read(&modules, losses), 0);
	rg_losses_read_own(&modules, own);
	assert_int_equal(losses[RG_LOSS_RING_FULL], 9);
	assert_int_equal(losses[RG_LOSS_MAX + RG_OWN_SESSION_LOG_LIMIT], 4);
	assert_memory_equal(losses + RG_LOSS_MAX, own, sizeof(own));
	fake_stats_error = -EIO;
	assert_int_equal(rg_losses_read(&modules, losses), -EIO);
	modules.responder = NULL;
	fake_modules_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_page, set_up),
		cmocka_unit_test_setup(test_errors, set_up),
		cmocka_unit_test_setup(test_limit, set_up),
		cmocka_unit_test_setup(test_requests, set_up),
		cmocka_unit_test_setup(test_losses, set_up),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(page);
	return failed;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgated: arguments, configuration, run, exit code. */
#include "daemon/agent.h"
#include "base/log.h"
#include "daemon/check.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

#define EXIT_USAGE 2

static const char usage[] =
	"Usage: repgated --config FILE [--check] [--log-level error|warning|info|debug]\n"
	"       repgated --version\n"
	"\n"
	"Stops listed mail sources at the network card. Stays in the foreground.\n"
	"\n"
	"  --config FILE      configuration, default " RG_DEFAULT_CONFIG "\n"
	"  --prepare USER     as root: make pin_path and give it to USER, then exit\n"
	"  --check            check the configuration and the lists, then exit\n"
	"  --log-level LEVEL  least important messages to log, default info\n"
	"  --version          print the version\n"
	"  --help             print this\n"
	"\n"
	"SIGHUP reloads configuration and lists; SIGTERM stops. Exit code: 0 done, 1 failed, 2 usage.\n";

struct arguments {
	const char *config;
	const char *prepare; /* user, or NULL */
	bool check;
	enum rg_log_level level;
};

static void print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(EXIT_SUCCESS);
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "check", no_argument, NULL, 'k' },
						 { "prepare", required_argument, NULL, 'p' },
						 { "log-level", required_argument, NULL, 'l' },
						 { "version", no_argument, NULL, 'v' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 'p':
			arguments->prepare = optarg;
			break;
		case 'k':
			arguments->check = true;
			break;
		case 'l':
			if (rg_log_level_parse(optarg, &arguments->level)) {
				fprintf(stderr, "repgated: no such log level: %s\n", optarg);
				return -EINVAL;
			}
			break;
		case 'v':
			print_and_exit("repgated " RG_VERSION "\n");
			break;
		case 'h':
			print_and_exit(usage);
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

/*
 * No core dump and no ptrace by others, because the process holds the activation code. No limit of locked
 * memory, because maps counted as such before Linux 5.11.
 */
static void set_limits(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY }, none = {};
	struct rlimit files;

	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	(void)setrlimit(RLIMIT_CORE, &none);
	/* Each session of the responder needs a descriptor. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
#ifndef __SANITIZE_ADDRESS__ /* the leak check of ASan uses ptrace */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	(void)signal(SIGPIPE, SIG_IGN);
}

/*
 * Lists take tens of MB, which the next reload frees. With its default, glibc would allocate them from
 * the heap from the second time on, and keep the memory.
 */
static void set_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

static int check(struct rg_conf *conf)
{
	if (!rg_check_files(conf, stderr))
		return EXIT_FAILURE;
	if (conf->warnings && *conf->warnings)
		fprintf(stderr, "%s", conf->warnings);
	if (rg_check_advice(conf))
		fprintf(stderr, "%s\n", rg_check_advice(conf));
	printf("%s: good\n", conf->path);
	return EXIT_SUCCESS;
}

static int prepare(const struct rg_conf *conf, const char *user)
{
	struct rg_error error;

	if (!rg_privileges_prepare(conf, user, &error))
		return EXIT_SUCCESS;
	rg_log_error("%s", error.text);
	return EXIT_FAILURE;
}

static int run(struct rg_conf *conf)
{
	struct rg_agent *agent;
	struct rg_error error;
	bool keep;
	int err;

	if (rg_agent_new(&agent, conf, &error)) {
		rg_log_error("%s", error.text);
		return EXIT_FAILURE;
	}
	err = rg_privileges_drop(conf);
	if (err)
		rg_log_warning("privileges can't be dropped: %s", strerror(-err));
	err = rg_agent_run(agent);
	/* A restart must leave no gap, so the next agent takes over the pins. */
	keep = err || rg_agent_conf(agent)->keep_on_stop || rg_notify_is_restart();
	rg_log_info("stopping, the filter %s", keep ? "stays in force" : "is removed");
	rg_agent_free(agent, keep);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .config = RG_DEFAULT_CONFIG, .level = RG_LOG_INFO };
	struct rg_conf *conf;
	struct rg_error error;
	char *path;
	int code;

	if (parse_arguments(argc, argv, &arguments)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	set_limits();
	set_memory();
	rg_log_open(arguments.level);
	/* An absolute path: `repgatectl set --save` compares it with its own. */
	path = realpath(arguments.config, NULL);
	if (rg_conf_load(&conf, path ? path : arguments.config, &error)) {
		rg_log_error("%s", error.text);
		free(path);
		return EXIT_FAILURE;
	}
	free(path);
	code = arguments.prepare ? prepare(conf, arguments.prepare) :
	       arguments.check	 ? check(conf) :
				   run(conf);
	rg_conf_unref(conf);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file (libconfig syntax): every key known, typed and bounded. An unknown key, a
 * wrong type or an impossible combination is an error with file:line.
 */
#ifndef REPGATE_CONFIG_FILE_H
#define REPGATE_CONFIG_FILE_H

#include "dnsbl.h"

#include "../maps/config.h"
#include "../maps/verdict.h"

#include <sys/socket.h>

#define RG_MAX_INTERFACES 16
#define RG_DEFAULT_CONFIG "/etc/repgate/repgate.conf"

enum rg_xdp_mode { RG_XDP_NATIVE = 1, RG_XDP_GENERIC, RG_XDP_AUTO };

/* Which RFC 5782 test points of a zone are asked for: both, only the one that must not be listed. */
enum rg_selftest { RG_SELFTEST_FULL = 1, RG_SELFTEST_NEGATIVE, RG_SELFTEST_OFF };

/* One DNS list. */
struct rg_zone_conf {
	char alias[RG_ALIAS_SIZE]; /* what people see */
	char *suffix; /* the real name; may hold a key: never shown */
	uint32_t slot; /* its number in the map `zones`; the agent gives it */
	enum rg_class class; /* standard or qil */
	enum rg_action action;
	struct rg_codes codes;
	uint32_t ttl_min, ttl_max; /* s */
	unsigned int selftest; /* enum rg_selftest */
	char *reply; /* text for an SMTP reply, or NULL */
	char *url; /* where people look the listing up, or NULL */
};

/* Shared by reference count: inquiries under way keep the configuration that they began with. */
struct rg_conf {
	unsigned int references;
	char *path;
	char *interfaces[RG_MAX_INTERFACES];
	unsigned int interface_count;
	uint16_t ports[RG_MAX_PORTS]; /* host order */
	unsigned int port_count;
	unsigned int mode; /* enum rg_mode */
	unsigned int unknown, blocked_action, on_overload; /* enum rg_action */
	unsigned int xdp_mode; /* enum rg_xdp_mode */
	struct sockaddr_storage resolver;
	char *resolver_text;
	struct rg_zone_conf zones[RG_MAX_ZONES];
	unsigned int zone_count;
	uint32_t clean_ttl_min, clean_ttl_max, failure_ttl; /* s */
	uint32_t heartbeat_timeout, dns_timeout; /* ms */
	uint32_t dns_tries, dns_in_flight, ipv6_prefix;
	uint32_t max_verdicts, max_peers, max_list, max_inquiries;
	uint32_t log_per_second;
	bool keep_on_stop;
	char *pin_path, *state_dir, *control_socket, *control_group;
	char *approved_dir, *blocked_dir, *country_database;
	char *metrics_listen; /* "": none */
	struct sockaddr_storage metrics_address;
	unsigned int qil_level; /* as set at the service; shown, not used */
	char *warnings; /* lines for the log, NULL if none */
};

/* 0 with one reference, or negative with "file:line: reason". */
int rg_conf_load(struct rg_conf **ret, const char *path, struct rg_error *error);
struct rg_conf *rg_conf_ref(struct rg_conf *conf);
void rg_conf_unref(struct rg_conf *conf);

/* The same list, read in the same way; actions and TTLs may differ. */
bool rg_conf_same_zone(const struct rg_zone_conf *a, const struct rg_zone_conf *b);
/* conf's zone that is the same as zone, or NULL. */
const struct rg_zone_conf *rg_conf_find_zone(const struct rg_conf *conf,
					     const struct rg_zone_conf *zone);

/*
 * The first key of fresh that differs from old and can't change while the agent runs, or NULL.
 */
const char *rg_conf_needs_restart(const struct rg_conf *old, const struct rg_conf *fresh);

/* "90s", "10m", "24h", "1d", "250ms"; whole string. ms; 0, -EINVAL, -ERANGE. */
int rg_duration_parse(const char *text, uint64_t *ms);

#endif

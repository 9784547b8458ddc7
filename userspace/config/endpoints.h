/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings that name interfaces, ports and addresses. */
#ifndef REPGATE_CONFIG_ENDPOINTS_H
#define REPGATE_CONFIG_ENDPOINTS_H

#include <stdbool.h>

struct rg_key;
struct rg_node;
struct rg_reader;

/* Readers of rows, see struct rg_key. */
int rg_endpoints_read_interfaces(struct rg_reader *reader, const struct rg_key *key,
				 const struct rg_node *node);
int rg_endpoints_read_ports(struct rg_reader *reader, const struct rg_key *key,
			    const struct rg_node *node);
int rg_endpoints_read_resolver(struct rg_reader *reader, const struct rg_key *key,
			       const struct rg_node *node);
int rg_endpoints_read_metrics(struct rg_reader *reader, const struct rg_key *key,
			      const struct rg_node *node);

/* Compares the interfaces of two struct rg_conf, in their order. */
bool rg_endpoints_same_interfaces(const void *a, const void *b);

#endif

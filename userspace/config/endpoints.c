/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/endpoints.h"

#include "config/reader.h"

#include <net/if.h>

static int read_interface(struct rg_reader *reader, const struct rg_key *key,
			  const struct rg_node *node, const char *text)
{
	struct rg_conf *conf = reader->conf;

	(void)key;
	if (!*text || strlen(text) >= IFNAMSIZ || strpbrk(text, "/: \t"))
		return rg_reader_refuse(reader, node, "\"%s\" is not an interface name", text);
	for (unsigned int i = 0; i < conf->interface_count; i++)
		if (!strcmp(conf->interfaces[i], text))
			return rg_reader_refuse(reader, node, "interface \"%s\" is named twice",
						text);
	conf->interfaces[conf->interface_count] = strdup(text);
	if (!conf->interfaces[conf->interface_count])
		return rg_reader_refuse(reader, node, "out of memory");
	conf->interface_count++;
	return 0;
}

int rg_endpoints_read_interfaces(struct rg_reader *reader, const struct rg_key *key,
				 const struct rg_node *node)
{
	return rg_reader_strings(reader, key, node, read_interface);
}

bool rg_endpoints_same_interfaces(const void *a, const void *b)
{
	const struct rg_conf *one = a, *other = b;

	if (one->interface_count != other->interface_count)
		return false;
	for (unsigned int i = 0; i < one->interface_count; i++)
		if (strcmp(one->interfaces[i], other->interfaces[i]) != 0)
			return false;
	return true;
}

int rg_endpoints_read_ports(struct rg_reader *reader, const struct rg_key *key,
			    const struct rg_node *node)
{
	struct rg_conf *conf = reader->conf;
	int err;

	if (rg_node_type(node) != RG_NODE_LIST)
		return rg_reader_refuse(reader, node,
					"ports must be a list of numbers, as in [ 25 ]");
	err = rg_reader_list(reader, key, node);
	if (err)
		return err;
	for (unsigned int i = 0; i < rg_node_count(node); i++) {
		long long number = rg_node_number(rg_node_at(node, i));

		if (number < 1 || number > 65535)
			return rg_reader_refuse(reader, node,
						"ports: entry %u is not a port (1 to 65535)", i + 1);
		conf->ports[i] = (uint16_t)number;
	}
	conf->port_count = rg_node_count(node);
	return 0;
}

int rg_endpoints_read_resolver(struct rg_reader *reader, const struct rg_key *key,
			       const struct rg_node *node)
{
	int err = rg_reader_by_type(reader, key, node, reader->conf);

	if (err)
		return err;
	if (rg_value_parse_endpoint(reader->conf->resolver_text, &reader->conf->resolver))
		return rg_reader_refuse(reader, node,
					"resolver = \"%s\" is not an address with an optional "
					"port, as in \"127.0.0.1:53\" or \"[::1]:53\"",
					reader->conf->resolver_text);
	return 0;
}

/* "::1" is an address without a port, though it has colons; "[::1]:9125" has one. */
static bool has_port(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon && (colon == strchr(text, ':') || (colon > text && colon[-1] == ']'));
}

int rg_endpoints_read_metrics(struct rg_reader *reader, const struct rg_key *key,
			      const struct rg_node *node)
{
	struct rg_conf *conf = reader->conf;
	int err = rg_reader_by_type(reader, key, node, conf);

	if (err || !*conf->metrics_listen)
		return err;
	if (!has_port(conf->metrics_listen) ||
	    rg_value_parse_endpoint(conf->metrics_listen, &conf->metrics_address))
		return rg_reader_refuse(
			reader, node,
			"metrics_listen = \"%s\" is not ADDRESS:PORT, as in \"127.0.0.1:9125\", "
			"nor \"\"",
			conf->metrics_listen);
	return 0;
}

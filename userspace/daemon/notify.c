/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/notify.h"

#include "base/util.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

void rg_notify_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void rg_notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
			 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void rg_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void rg_notify_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

/* The type of the unit's queued job, "stop" or "restart". 1 with *type set; 0: no job; or negative. */
static int job_type(sd_bus *bus, const char *unit_path, char **type)
{
	static const char service[] = "org.freedesktop.systemd1";
	sd_bus_message *reply = NULL;
	const char *job_path = NULL;
	uint32_t job = 0;
	int err;

	err = sd_bus_get_property(bus, service, unit_path, "org.freedesktop.systemd1.Unit", "Job",
				  NULL, &reply, "(uo)");
	if (err >= 0)
		err = sd_bus_message_read(reply, "(uo)", &job, &job_path);
	if (err >= 0 && job)
		err = sd_bus_get_property_string(bus, service, job_path,
						 "org.freedesktop.systemd1.Job", "JobType", NULL,
						 type);
	sd_bus_message_unref(reply);
	return err < 0 ? err : job != 0;
}

/*
 * The bus path of this process' unit. The manager is asked because ProtectProc= hides it in /proc. 0 with
 * *path, which the caller frees, or a negative error.
 */
static int own_unit(sd_bus *bus, char **path)
{
	sd_bus_message *reply = NULL;
	const char *found = NULL;
	int err = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
				     "org.freedesktop.systemd1.Manager", "GetUnitByPID", NULL,
				     &reply, "u", (uint32_t)getpid());

	if (err >= 0)
		err = sd_bus_message_read(reply, "o", &found);
	if (err >= 0) {
		*path = strdup(found);
		err = *path ? 0 : -ENOMEM;
	}
	sd_bus_message_unref(reply);
	return err;
}

int rg_notify_is_restart(void)
{
	RG_CLEANUP_FREE char *path = NULL, *type = NULL;
	sd_bus *bus = NULL;
	int restart = 0;

	if (!getenv("NOTIFY_SOCKET") || sd_bus_open_system(&bus) < 0)
		return 0;
	(void)sd_bus_set_method_call_timeout(bus, 1000000);
	if (!own_unit(bus, &path) && job_type(bus, path, &type) > 0)
		restart = !strcmp(type, "restart") || !strcmp(type, "try-restart");
	sd_bus_flush_close_unref(bus);
	return restart;
}

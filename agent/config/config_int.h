/*
 * config/config_int.h - private to the folder: names of a setting.
 */
#ifndef CONFIG_CONFIG_INT_H
#define CONFIG_CONFIG_INT_H

#include "config/config.h"

const struct setting *setting_find(const char *name); /* "log-level", or NULL */
/* The known name that is nearest to a misspelt one, or NULL when none is near. */
const char *setting_near(const char *name);
void setting_put_env(struct buf *out, const struct setting *s); /* MODELSYNC_LOG_LEVEL */
void setting_put_key(struct buf *out, const struct setting *s); /* logLevel */
const char *setting_type_name(enum setting_type type);		/* DURATION, ... */

#endif

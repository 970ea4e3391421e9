/* desired/names.c - syntax of names, as the API server has it. */
#include "desired/desired_int.h"

#include "base/text.h"

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One label of `len` bytes: lower case letters, digits and '-', which stands inside only. */
static bool label(const char *s, size_t len)
{
	if (!len || len > 63 || !lower_alnum(s[0]) || !lower_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

bool name_is_label(const char *s)
{
	return label(s, strnlen(s, 64));
}

/* The API server has no limit of 63 for the parts of a subdomain, only 253 for the whole. */
bool name_is_subdomain(const char *s)
{
	size_t len = strnlen(s, 254);

	if (!len || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || i == len - 1 || s[i - 1] == '.' || s[i + 1] == '.';
		if (lower_alnum(s[i]))
			continue;
		if (s[i] == '.' ? i == 0 || i == len - 1 || s[i - 1] == '.'
				: s[i] != '-' || edge)
			return false;
	}
	return true;
}

bool name_is_segment(const char *s)
{
	size_t len = strnlen(s, 254);

	if (!len || len > 253 || text_eq(s, ".") || text_eq(s, ".."))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || s[i] == '/' || s[i] == '%')
			return false;
	return text_utf8_bad(s, len) == len;
}

bool name_is_kind(const char *s)
{
	size_t len = strnlen(s, 64);

	if (!len || len > 63 || !((s[0] | 32) >= 'a' && (s[0] | 32) <= 'z'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!lower_alnum((char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 32 : s[i])))
			return false;
	return true;
}

int api_version_split(const char *s, char group[256], const char **version)
{
	const char *slash = strchr(s, '/');

	group[0] = '\0';
	if (slash) {
		if (slash == s || (size_t)(slash - s) > 253)
			return -1;
		memcpy(group, s, (size_t)(slash - s));
		group[slash - s] = '\0';
		if (!name_is_subdomain(group))
			return -1;
	}
	*version = slash ? slash + 1 : s;
	return name_is_label(*version) ? 0 : -1;
}

/*
 * A mixer of alsa-lib's without a sound card, as PulseAudio's has no decibels, no second channel
 * and no owner: its controls are the table below, their values are in a file.
 *
 * ctl.NAME { type table state "FILE" }, where FILE has an errno (which writing a control fails
 * with, 0: it does not fail) and then the two values of each control, all of them C longs.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <alsa/asoundlib.h>
#include <alsa/control_external.h>

static const struct control {
	const char *name;
	unsigned int index, channels;
	int type;
	long max;
	unsigned int tlv[4];
} controls[] = {
	/* as sound/soc/codecs/pcm512x.c has it: SNDRV_CTL_TLVT_DB_SCALE, the lowest is silence */
	{"Digital Playback Volume", 0, 2, SND_CTL_ELEM_TYPE_INTEGER, 207,
	 {SND_CTL_TLVT_DB_SCALE, 8, -10350, 50 | 0x10000}},
	{"Digital Playback Switch", 0, 2, SND_CTL_ELEM_TYPE_BOOLEAN, 1},
	/* as softvol makes it of the name in docs/volume.md, and of one without "Playback Volume" */
	{"SoftMaster Playback Volume", 0, 2, SND_CTL_ELEM_TYPE_INTEGER, 255,
	 {SND_CTL_TLVT_DB_SCALE, 8, -5100, 20}},
	{"Softvol", 0, 2, SND_CTL_ELEM_TYPE_INTEGER, 255},
	{"SoftCapture", 0, 2, SND_CTL_ELEM_TYPE_INTEGER, 255},
	{"Twin Playback Volume", 0, 1, SND_CTL_ELEM_TYPE_INTEGER, 10},
	{"Twin Playback Volume", 1, 1, SND_CTL_ELEM_TYPE_INTEGER, 10},
	/* there, and does nothing */
	{"Stuck Playback Volume", 0, 1, SND_CTL_ELEM_TYPE_INTEGER, 0},
};

#define COUNT (sizeof(controls) / sizeof(controls[0]))
#define STATE_BYTES ((1 + 2 * COUNT) * sizeof(long))

struct table {
	snd_ctl_ext_t ext;
	long *state;
};

static void table_close(snd_ctl_ext_t *ext)
{
	struct table *table = ext->private_data;

	munmap(table->state, STATE_BYTES);
	free(table);
}

static int table_count(snd_ctl_ext_t *ext)
{
	return COUNT;
}

static int table_list(snd_ctl_ext_t *ext, unsigned int offset, snd_ctl_elem_id_t *id)
{
	snd_ctl_elem_id_set_interface(id, SND_CTL_ELEM_IFACE_MIXER);
	snd_ctl_elem_id_set_name(id, controls[offset].name);
	snd_ctl_elem_id_set_index(id, controls[offset].index);
	return 0;
}

static snd_ctl_ext_key_t table_find(snd_ctl_ext_t *ext, const snd_ctl_elem_id_t *id)
{
	for (size_t each = 0; each < COUNT; each++)
		if (!strcmp(snd_ctl_elem_id_get_name(id), controls[each].name) &&
		    snd_ctl_elem_id_get_index(id) == controls[each].index)
			return each;
	return SND_CTL_EXT_KEY_NOT_FOUND;
}

static int table_attribute(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, int *type,
			   unsigned int *access, unsigned int *count)
{
	*type = controls[key].type;
	*access = SND_CTL_EXT_ACCESS_READWRITE;
	if (controls[key].tlv[1])
		*access |= SND_CTL_EXT_ACCESS_TLV_READ | SND_CTL_EXT_ACCESS_TLV_CALLBACK;
	*count = controls[key].channels;
	return 0;
}

static int table_info(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *min, long *max, long *step)
{
	*min = 0;
	*max = controls[key].max;
	*step = 0;
	return 0;
}

static int table_read(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
	struct table *table = ext->private_data;

	memcpy(value, table->state + 1 + 2 * key, controls[key].channels * sizeof(long));
	return 0;
}

static int table_write(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
	struct table *table = ext->private_data;

	if (table->state[0])
		return -(int)table->state[0];
	memcpy(table->state + 1 + 2 * key, value, controls[key].channels * sizeof(long));
	return 1;
}

static int table_tlv(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, int op, unsigned int numid,
		     unsigned int *tlv, unsigned int size)
{
	if (op != 0 || size < sizeof(controls[key].tlv))
		return -EINVAL;
	memcpy(tlv, controls[key].tlv, sizeof(controls[key].tlv));
	return 0;
}

static int table_event(snd_ctl_ext_t *ext, snd_ctl_elem_id_t *id, unsigned int *mask)
{
	return -EAGAIN;
}

static const snd_ctl_ext_callback_t callbacks = {
	.close = table_close,
	.elem_count = table_count,
	.elem_list = table_list,
	.find_elem = table_find,
	.get_attribute = table_attribute,
	.get_integer_info = table_info,
	.read_integer = table_read,
	.write_integer = table_write,
	.read_event = table_event,
};

SND_CTL_PLUGIN_DEFINE_FUNC(table)
{
	const char *path = NULL;
	snd_config_t *found;
	struct table *table;
	int file, error;

	if (snd_config_search(conf, "state", &found) < 0 || snd_config_get_string(found, &path) < 0)
		return -EINVAL;
	table = calloc(1, sizeof(*table));
	file = open(path, O_RDWR | O_CLOEXEC);
	if (!table || file < 0)
		return -ENOENT;
	table->state = mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (table->state == MAP_FAILED)
		return -ENOMEM;
	table->ext.version = SND_CTL_EXT_VERSION;
	table->ext.poll_fd = -1;
	table->ext.callback = &callbacks;
	table->ext.private_data = table;
	table->ext.tlv.c = table_tlv;
	error = snd_ctl_ext_create(&table->ext, name, mode);
	if (error < 0)
		return error;
	*handlep = table->ext.handle;
	return 0;
}

SND_CTL_PLUGIN_SYMBOL(table);

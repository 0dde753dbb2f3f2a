// SPDX-License-Identifier: MIT
// What a Raspberry Pi's firmware says of the board, for gpiozero and for `speakerd doctor`:
// /proc/device-tree/system/linux,revision and /proc/device-tree/model.
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/uaccess.h>

// 0xc03115, big-endian: "New-style revision codes" in the Raspberry Pi documentation
static const char revision[] = { 0x00, (char)0xc0, 0x31, 0x15 };
static const char model[] = "Raspberry Pi 4 Model B Rev 1.5";

static ssize_t read_revision(struct file *file, char __user *to, size_t count, loff_t *at)
{
	return simple_read_from_buffer(to, count, at, revision, sizeof(revision));
}

static ssize_t read_model(struct file *file, char __user *to, size_t count, loff_t *at)
{
	return simple_read_from_buffer(to, count, at, model, sizeof(model));
}

static const struct proc_ops revision_file = { .proc_read = read_revision };
static const struct proc_ops model_file = { .proc_read = read_model };
static struct proc_dir_entry *tree;

static int __init pi_board_init(void)
{
	struct proc_dir_entry *system;

	tree = proc_mkdir("device-tree", NULL);
	system = tree ? proc_mkdir("system", tree) : NULL;
	if (system && proc_create("linux,revision", 0444, system, &revision_file) &&
	    proc_create("model", 0444, tree, &model_file))
		return 0;
	proc_remove(tree);
	return -ENOMEM;
}

static void __exit pi_board_exit(void)
{
	proc_remove(tree);
}

module_init(pi_board_init);
module_exit(pi_board_exit);
MODULE_DESCRIPTION("The device tree of a Raspberry Pi, as far as speakerd looks at it");
// the kernel's word for what may use all of its functions
MODULE_LICENSE("Dual MIT/GPL");

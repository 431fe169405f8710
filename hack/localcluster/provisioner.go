package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// provisionerName is what the default StorageClass in the driver's manifests refers to.
const provisionerName = "reasoning-operator.io/local-folder"

// folderProvisioner gives each claim a folder of its own under root and removes it with its volume.
// The capacity asked for is recorded on the volume and not enforced.
type folderProvisioner struct{ root string }

func (p folderProvisioner) Provision(_ context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	folder := filepath.Join(p.root, options.PVName)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	// Pods run as any user: past the umask, as every hostPath provisioner does.
	if err := os.Chmod(folder, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return volume(options, folder), controller.ProvisioningFinished, nil
}

func (p folderProvisioner) Delete(_ context.Context, pv *corev1.PersistentVolume) error {
	if pv.Spec.HostPath == nil || filepath.Dir(pv.Spec.HostPath.Path) != filepath.Clean(p.root) {
		return fmt.Errorf("volume %s is not a folder directly under %s: not removed", pv.Name, p.root)
	}
	return os.RemoveAll(pv.Spec.HostPath.Path)
}

func volume(options controller.ProvisionOptions, folder string) *corev1.PersistentVolume {
	directory := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity:                      options.PVC.Spec.Resources.Requests,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: folder, Type: &directory},
			},
		},
	}
}

func newProvisionerCommand() *cobra.Command {
	var root, kubeconfig string
	command := &cobra.Command{
		Use:   "provisioner",
		Short: "Gives each PersistentVolumeClaim a folder of this machine",
		RunE: func(command *cobra.Command, _ []string) error {
			return provision(command.Context(), root, kubeconfig)
		},
	}
	command.Flags().StringVar(&root, "root", "", "folder that holds the volumes")
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	return command
}

func provision(ctx context.Context, root, kubeconfig string) error {
	if !filepath.IsAbs(root) {
		return errors.New("--root must be an absolute path")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	controller.NewProvisionController(ctx, client, provisionerName, folderProvisioner{root}, controller.LeaderElection(false)).Run(ctx)
	return nil
}

# UNTESTED: nix-instantiate parses this file; it was never built. The Debian packages (packaging/build-deb) are what the
# tests install.
#
# pkgs.callPackage ./package.nix { }
{
  lib,
  rustPlatform,
  pam,
  installShellFiles,
}:

rustPlatform.buildRustPackage {
  pname = "postern";
  version = "0.1.0";
  src = lib.cleanSource ../..;
  cargoLock.lockFile = ../../Cargo.lock;
  cargoBuildFlags = [
    "--package=postern-cli"
    "--package=pam_totp"
    "--package=postern-gate"
    "--package=posternd"
  ];
  nativeBuildInputs = [ installShellFiles ];
  buildInputs = [ pam ];
  # the stories need root and real servers
  cargoTestFlags = [
    "--package=postern-shared"
    "--package=posternd"
    "--package=pam_totp"
  ];

  postInstall = ''
    install -D -m 0755 $out/bin/posternd $out/libexec/postern/posternd
    install -D -m 0755 $out/bin/postern-password $out/libexec/postern-password
    rm $out/bin/posternd $out/bin/postern-password
    mkdir -p $out/lib/security
    mv $out/lib/libpam_totp.so $out/lib/security/pam_totp.so
    install -D -m 0644 -t $out/lib/systemd/system packaging/systemd/*
    # the programs are where the package is
    substituteInPlace $out/lib/systemd/system/*.service --replace-quiet /usr/ $out/
    installManPage packaging/man/*
    installShellCompletion --cmd postern \
      --bash <($out/bin/postern --generate-completions bash) \
      --zsh <($out/bin/postern --generate-completions zsh) \
      --fish <($out/bin/postern --generate-completions fish)
    install -D -m 0644 -t $out/share/postern config/postern.toml
    cp -r config $out/share/postern/examples
  '';

  meta = {
    description = "Second factor for SSH, sudo and the web";
    license = with lib.licenses; [
      mit
      asl20
      gpl3Only
    ];
    platforms = lib.platforms.linux;
    mainProgram = "postern";
  };
}

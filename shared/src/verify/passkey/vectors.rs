//! Test vectors of W3C Web Authentication Level 3, section 16, in hexadecimal. The relying party is
//! example.org, the origin https://example.org. Client data is JSON, and is written as text.

/// A passkey that is registered and then used.
pub(super) struct Vector {
    pub(super) section: &'static str,
    pub(super) registration_challenge: &'static str,
    pub(super) registration_client_data: &'static str,
    pub(super) attestation_object: &'static str,
    pub(super) assertion_challenge: &'static str,
    pub(super) authenticator_data: &'static str,
    pub(super) assertion_client_data: &'static str,
    pub(super) signature: &'static str,
}

pub(super) const NONE_ES256: Vector = Vector {
    section: "16.2",
    registration_challenge: "00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130",
    registration_client_data: "{\"type\":\"webauthn.create\",\"challenge\":\"AMMPt4UxxGTStncdq417YDwBFi8vpIa-pw8oOu\
                VW4TA\",\"origin\":\"https://example.org\",\"crossOrigin\":false,\"extraData\":\"cli\
                entDataJSON may be extended with additional fields in the future, such as this: BkQe\
                DjdcTBrXBiAwJTLE5Q\"}",
    attestation_object: "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad\
                6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f00\
                20f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a50102032620012158\
                20afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2f\
                ca66334b03458abf879717c12cc68ed73290af2e2664796b9220",
    assertion_challenge: "39c0e7521417ba54d43e8dc95174f423dee9bf3cd804ff6d65c857c9abf4d408",
    authenticator_data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000",
    assertion_client_data: "{\"type\":\"webauthn.get\",\"challenge\":\"OcDnUhQXulTUPo3JUXT0I97pvzzYBP9tZchXyav01\
                Ag\",\"origin\":\"https://example.org\",\"crossOrigin\":false}",
    signature: "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480\
                ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87",
};

pub(super) const PACKED_SELF_ES256: Vector = Vector {
    section: "16.3",
    registration_challenge: "7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5",
    registration_client_data: "{\"type\":\"webauthn.create\",\"challenge\":\"eGnCt3LUtY66k3jPjynibPk1qnffDaifqZwL3A\
                p29-U\",\"origin\":\"https://example.org\",\"crossOrigin\":false,\"extraData\":\"cli\
                entDataJSON may be extended with additional fields in the future, such as this: U9hT\
                XvKE2URkMnb_0xYHVg\"}",
    attestation_object: "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab9\
                25005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d1\
                21fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad64\
                61c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020\
                455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820\
                eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be\
                1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2",
    assertion_challenge: "4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b",
    authenticator_data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000",
    assertion_client_data: "{\"type\":\"webauthn.get\",\"challenge\":\"RHihCxNSNI3RYME1Ow1Gm12xnrkcJ_ffpv7Tn-Jq8\
                gs\",\"origin\":\"https://example.org\",\"crossOrigin\":false,\"extraData\":\"client\
                DataJSON may be extended with additional fields in the future, such as this: gTb53rz\
                6EhSWomXGzimC1Q\"}",
    signature: "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00\
                047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66",
};

pub(super) const NONE_ES256_CROSS_ORIGIN: Vector = Vector {
    section: "16.4",
    registration_challenge: "3be5aacd03537142472340ab5969f240f1d87716e20b6807ac230655fa4b3b49",
    registration_client_data: "{\"type\":\"webauthn.create\",\"challenge\":\"O-WqzQNTcUJHI0CrWWnyQPHYdxbiC2gHrCMGVf\
                pLO0k\",\"origin\":\"https://example.org\",\"crossOrigin\":true,\"extraData\":\"clie\
                ntDataJSON may be extended with additional fields in the future, such as this: zZquE\
                tDR9DWqpW5tBWTFug\"}",
    attestation_object: "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad\
                6461c9c4735ae7f8edd46592a5e0f01452b2e4b54500000000883f4f6014f19c09d87aa38123be48d000\
                206e1050c0d2ca2f07c755cb2c66a74c64fa43065c18f938354d9915db2bd5ce57a50102032620012158\
                2022200a473f90b11078851550d03b4e44a2279f8c4eca27b3153dedfe03e4e97d225820cbd0be95e746\
                ad6f5a8191be11756e4c0420e72f65b466d39bc56b8b123a9c6e",
    assertion_challenge: "876aa517ba83fdee65fcffdbca4c84eeae5d54f8041a1fc85c991e5bbb273137",
    authenticator_data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50500000000",
    assertion_client_data: "{\"type\":\"webauthn.get\",\"challenge\":\"h2qlF7qD_e5l_P_bykyE7q5dVPgEGh_IXJkeW7snM\
                Tc\",\"origin\":\"https://example.org\",\"crossOrigin\":true,\"extraData\":\"clientD\
                ataJSON may be extended with additional fields in the future, such as this: 92pcTVD0\
                Aby-q4dtmj6efg\"}",
    signature: "3046022100eb12fcf23b12764c0f122e22371fab92e283879fd798f38ee1841c951b6e40e7022100c762\
                37ff9db77b3c56f30837cda6a09acfa2e915544e609c0733b1184036d1cf",
};

pub(super) const NONE_ES256_TOP_ORIGIN: Vector = Vector {
    section: "16.5",
    registration_challenge: "4e1f4c6198699e33c14f192153f49d7e0e8e3577d5ac416c5f3adc92a41f27e5",
    registration_client_data: "{\"type\":\"webauthn.create\",\"challenge\":\"Th9MYZhpnjPBTxkhU_Sdfg6ONXfVrEFsXzrckq\
                QfJ-U\",\"origin\":\"https://example.org\",\"crossOrigin\":true,\"topOrigin\":\"http\
                s://example.com\"}",
    attestation_object: "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad\
                6461c9c4735ae7f8edd46592a5e0f01452b2e4b5410000000097586fd09799a76401c200455099ef2a00\
                20b8ad59b996047ab18e2ceb57206c362da57458793481f4a8ebf101c7ca7cc0f1a50102032620012158\
                20a1c47c1d82da4ebe82cd72207102b380670701993bc35398ae2e5726427fe01d22582086c1080d8298\
                7028c7f54ecb1b01185de243b359294a0ed210cd47480f0adc88",
    assertion_challenge: "d54a5c8ca4b62a8e3bb321e3b2bc73856f85a10150db2939ac195739eb1ea066",
    authenticator_data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50500000000",
    assertion_client_data: "{\"type\":\"webauthn.get\",\"challenge\":\"1UpcjKS2Ko47syHjsrxzhW-FoQFQ2yk5rBlXOeseo\
                GY\",\"origin\":\"https://example.org\",\"crossOrigin\":true,\"topOrigin\":\"https:/\
                /example.com\",\"extraData\":\"clientDataJSON may be extended with additional fields \
                in the future, such as this: UiFoJMVRQHDAFWFi4vxUpQ\"}",
    signature: "3045022100b5a70c81780d5fcc9a4f2ae9caae99058f8accaf58b91fb59329646c28ac6ffc022012e101\
                c165db3c8e9957f0c54dd6ca9b56bc3bd2f280bd2faa6c1d02c6e5c171",
};

pub(super) const PACKED_RS256: Vector = Vector {
    section: "16.10",
    registration_challenge: "bea8f0770009bd57f2c0df6fea9f743a27e4b61bbe923c862c7aad7a9fc8e4a6",
    registration_client_data: "{\"type\":\"webauthn.create\",\"challenge\":\"vqjwdwAJvVfywN9v6p90Oifkthu-kjyGLHqtep\
                _I5KY\",\"origin\":\"https://example.org\",\"crossOrigin\":false}",
    attestation_object: "a363666d74667061636b65646761747453746d74a363616c672663736967584730450221008b8c5c6ea8\
                c142c032e0be69e1353d44461c5c9109941cdda951b976eb95b6b302204d52f406c19e254b3ff9589bd1\
                8070fb055ac8db12fdd0a6734bea9d7168e900637835638159022630820222308201c7a0030201020210\
                1f6fb7a5ece81b45896b983a995da5f3300a06082a8648ce3d0403023062311e301c06035504030c1557\
                6562417574686e207465737420766563746f7273310c300a060355040a0c035733433125302306035504\
                0b0c1c41757468656e74696361746f72204174746573746174696f6e204341310b300906035504061302\
                41413020170d3234303130313030303030305a180f33303234303130313030303030305a305f311e301c\
                06035504030c15576562417574686e207465737420766563746f7273310c300a060355040a0c03573343\
                31223020060355040b0c1941757468656e74696361746f72204174746573746174696f6e310b30090603\
                550406130241413059301306072a8648ce3d020106082a8648ce3d03010703420004b7b36b7542a11120\
                b443c794d0c99fdc25a06b76586413d81e086163ef6fe147a557afc34e2861d9057d6d465d4705a03105\
                50bdeeb5f35ee35b9425ab859981a360305e300c0603551d130101ff04023000300e0603551d0f0101ff\
                040403020780301d0603551d0e04160414fb37b647bccfb9e54d989eaaacc1633868703fb3301f060355\
                1d2304183016801445aff715b0dd786741fee996ebc16547a3931b1e300a06082a8648ce3d0403020349\
                003046022100b86bc129d92afca7d9869a39f70f139a305b4073a39eb654d81424bed5757d91022100cf\
                9f7c60cab7c4a7d3e7f0020f281a93d4fd0a9f95121b989f56932a68885fba6861757468446174615902\
                1bbfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000428f8878\
                298b9862a36ad8c7527bfef20020992a18acc83f67533600c1138a4b4c4bd236de13629cf025ed17cb00\
                b00b74dfa4010303390100205901b403ffffffffffffffffffffffffffffffffffffffffffffffffffff\
                ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                fffffffffffffff7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff800000\
                000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
                000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
                000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
                000000000000000000000000000000000000000000000000000000000000012143010001",
    assertion_challenge: "295f59f5fa8fe62c5aca9e27626c78c8da376ae6d8cd2dd29aebad601e1bc4c5",
    authenticator_data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000",
    assertion_client_data: "{\"type\":\"webauthn.get\",\"challenge\":\"KV9Z9fqP5ixayp4nYmx4yNo3aubYzS3SmuutYB4bx\
                MU\",\"origin\":\"https://example.org\",\"crossOrigin\":false}",
    signature: "01063d52d7c39b4d432fc7063c5d93e582bdcb16889cd71f888d67d880ea730a428498d3bc8e1ee11f2b\
                1ecbe6c292b118c55ffaaddefa8cad0a54dd137c51f1eec673f1bb6c4d1789d6826a222b22d0f585fc90\
                1fdc933212e579d199b89d672aa44891333e6a1355536025e82b25590256c3538229b55737083b2f6b93\
                77e49e2472f11952f79fdd0da180b5ffd901b4049a8f081bb40711bef76c62aed943571f2d0575304cb5\
                49d68d8892f95086a30f93716aee818f8dc06e96c0d5e0ed4cfa9fd8773d90464b68cf140f7986666ff9\
                c9e3302acd0535d60d769f465e2ab57ef8aabc89fccfef7ba32a64154a8b3d26be2298f470b8cc5377db\
                e3dfd4b0b45f8f01e63bde6cfc76b62771f9b70aa27cf40152cad93aa5acd784fd4b90f676e2ea828d0b\
                f2400aebbaae4153e5838f537f88b6228346782a93a899be66ec77de45b3efcf311da6321c92e6b0cd11\
                bfe653bf3e98cee8e341f02d67dbb6f9c98d9e8178090cfb5b70fbc6d541599ac794ae2f1d4de1286ec8\
                de8c2daf7b1d15c8438e90d924df5c19045220a4c8438c1b979bbe016cf3d0eeec23c3999d4882cc645b\
                776de930756612cdc6dd398160ff02a6",
};

pub(super) const PACKED_EDDSA: Vector = Vector {
    section: "16.11",
    registration_challenge: "a8abf9dabdc6b0df63466b39bda9e8a34a34e185337a59f1c579990676d3b3bd",
    registration_client_data: "{\"type\":\"webauthn.create\",\"challenge\":\"qKv52r3GsN9jRms5vanoo0o04YUzelnxxXmZBn\
                bTs70\",\"origin\":\"https://example.org\",\"crossOrigin\":false,\"extraData\":\"cli\
                entDataJSON may be extended with additional fields in the future, such as this: B_DT\
                5g7ZD_-9OTLYX5IvEQ\"}",
    attestation_object: "a363666d74667061636b65646761747453746d74a363616c67266373696758483046022100d83f60bd80\
                269537583218858aefb03ac57d45fa06e42feaae332d187f62da9f022100a02bd3cb6f7e1d283c93bad1\
                f3f4b5a4c0494463da7fdbf256949116754d1f17637835638159022730820223308201c8a00302010202\
                1100b2cfc9ea33c8643b0e1a760463eaf164300a06082a8648ce3d0403023062311e301c06035504030c\
                15576562417574686e207465737420766563746f7273310c300a060355040a0c03573343312530230603\
                55040b0c1c41757468656e74696361746f72204174746573746174696f6e204341310b30090603550406\
                130241413020170d3234303130313030303030305a180f33303234303130313030303030305a305f311e\
                301c06035504030c15576562417574686e207465737420766563746f7273310c300a060355040a0c0357\
                334331223020060355040b0c1941757468656e74696361746f72204174746573746174696f6e310b3009\
                0603550406130241413059301306072a8648ce3d020106082a8648ce3d03010703420004dd2b7a564b73\
                b8c0b81c4c62e521925c4d1198ec9f583dbf1eebe364b65cd9c29a9bdf346aaa81fb6b9507e5249a52fd\
                af8e39e26b0b7dc45992a7e233b70f70a360305e300c0603551d130101ff04023000300e0603551d0f01\
                01ff040403020780301d0603551d0e041604140ae27546bc7eccb1b4b597bd354f0c0b1f1f8f8e301f06\
                03551d2304183016801445aff715b0dd786741fee996ebc16547a3931b1e300a06082a8648ce3d040302\
                0349003046022100a0d434ecb5fc3bfd7da5f41904517ad2836249f561bd834ba7a438a8ab7a4ce80221\
                00fac845bb7a02513b58e9f319654dbe49b0f02b95835bac568c71f8a18cdde9ab686175746844617461\
                5881bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b54100000000d5aa33\
                581e8ca478e20fe713f5d32ff20020ce9f840ed96599580cd140fbc7bb3230633f50f61041aff73308ae\
                71caa8a2bda401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa\
                84934bf832",
    assertion_challenge: "895957e01c633a698348a2d8a31a54b7db27e8c1c43b2080d79ae2190267bfd2",
    authenticator_data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50100000000",
    assertion_client_data: "{\"type\":\"webauthn.get\",\"challenge\":\"iVlX4BxjOmmDSKLYoxpUt9sn6MHEOyCA15riGQJnv\
                9I\",\"origin\":\"https://example.org\",\"crossOrigin\":false}",
    signature: "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b01\
                1f0d6fecb097d6607525713223a0dc0d453993dae00b",
};

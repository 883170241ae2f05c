"""Link or file in, raw documents out."""
